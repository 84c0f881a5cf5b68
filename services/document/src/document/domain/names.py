"""Names as people write them, kept so that every file system can hold them and no two look the same in a folder."""

import re
import unicodedata
from collections.abc import Callable

from errors import Invalid

MAX_BYTES = 255
"""The longest name in UTF-8: what ext4, APFS and WebDAV clients can hold."""

_DIRECTIONS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Marks that turn the reading direction, so that "fdp.exe" reads as "exe.pdf" (Unicode TR 36)."""

_CONTROLS = frozenset({"Cc", "Cs", "Zl", "Zp"})
"""Unicode categories: controls, halves of surrogate pairs, line and paragraph separators."""

_NOT_ON_WINDOWS = frozenset('<>:"\\|?*')
"""What NTFS and SMB do not take in a name; nor do they take one that ends with a dot."""

_DEVICES = re.compile(r"(con|prn|aux|nul|(com|lpt)[0-9¹²³])(\..*)?", re.IGNORECASE | re.DOTALL)
"""Names that are devices to Windows, whatever ending they have."""

_UNSEEN = re.compile("[\ufe00-\ufe0f]")
"""Variation selectors, which say how the character before them is drawn."""


_FAULTS: tuple[tuple[str, Callable[[str], bool]], ...] = (
    ("it is empty", lambda name: not name),
    ("it means a folder's place", lambda name: name in {".", ".."}),
    ('it has a "/"', lambda name: "/" in name),
    ("it has a control character", lambda name: any(unicodedata.category(char) in _CONTROLS for char in name)),
    ("it has a mark that turns the reading direction", lambda name: not _DIRECTIONS.isdisjoint(name)),
    ("it begins or ends with a space", lambda name: name != name.strip()),
    ("nothing of it is seen", lambda name: not fold(name)),
    (
        'Windows cannot hold it: it has one of < > : " \\ | ? *',
        lambda name: not _NOT_ON_WINDOWS.isdisjoint(name),
    ),
    ("Windows cannot hold it: it ends with a dot", lambda name: name.endswith(".")),
    ("Windows cannot hold it: it is that of a device", lambda name: bool(_DEVICES.fullmatch(name))),
    (f"it is longer than {MAX_BYTES} bytes", lambda name: len(name.encode()) > MAX_BYTES),
)


def normalise(name: str) -> str:
    """The name in Unicode normalisation form C.

    Raises:
        Invalid: the name cannot stand in a folder; the message says why.
    """
    name = unicodedata.normalize("NFC", name)
    for fault, has in _FAULTS:
        if has(name):
            raise Invalid(f"this name cannot be used: {fault}", reason="NAME")
    return name


def fold(name: str) -> str:
    """What two names share that people take for the same one.

    Canonical caseless matching (Unicode D145), without the characters that nobody sees.
    """
    seen = "".join(char for char in _UNSEEN.sub("", name) if unicodedata.category(char) != "Cf")
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", seen).casefold())
