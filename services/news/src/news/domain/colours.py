"""The contrast of two colours (WCAG 2.2, "contrast ratio" and "relative luminance")."""

import re
from collections.abc import Mapping
from typing import Final

_HEX: Final = re.compile(r"#([0-9a-f]{3}|[0-9a-f]{6})")
_RGB: Final = re.compile(r"rgb\(\s*(\d{1,3})\s*,\s*(\d{1,3})\s*,\s*(\d{1,3})\s*\)")
# The basic names of CSS (CSS Color 3, section 4.1).
_NAMES: Final[Mapping[str, str]] = {
    "black": "#000000",
    "silver": "#c0c0c0",
    "gray": "#808080",
    "white": "#ffffff",
    "maroon": "#800000",
    "red": "#ff0000",
    "purple": "#800080",
    "fuchsia": "#ff00ff",
    "green": "#008000",
    "lime": "#00ff00",
    "olive": "#808000",
    "yellow": "#ffff00",
    "navy": "#000080",
    "blue": "#0000ff",
    "teal": "#008080",
    "aqua": "#00ffff",
}


def contrast(one: str, other: str) -> float | None:
    """From 1 (none) to 21; None when one of them is no colour that is understood here."""
    first, second = _luminance(one), _luminance(other)
    if first is None or second is None:
        return None
    return (max(first, second) + 0.05) / (min(first, second) + 0.05)


def _luminance(colour: str) -> float | None:
    channels = _channels(colour.strip().lower())
    if channels is None:
        return None
    red, green, blue = (each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _channels(colour: str) -> tuple[float, ...] | None:
    colour = _NAMES.get(colour, colour)
    if found := _HEX.fullmatch(colour):
        digits = found[1] if len(found[1]) == 6 else "".join(digit * 2 for digit in found[1])
        return tuple(int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4))
    if found := _RGB.fullmatch(colour):
        return tuple(min(int(part), 255) / 255 for part in found.groups())
    return None
