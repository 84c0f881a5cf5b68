"""The schema of the Common Alerting Protocol 1.2 (OASIS, 1 July 2010, sections 3.2 and 3.4) as rules.

Which elements there are, in which order, how many, with which words and forms. Whatever these rules let through is
valid by the schema; where they refuse more, the text of the standard does. Signatures (section 3.3.2.1) are let
through unread, as the schema does.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Final, NamedTuple
from xml.etree.ElementTree import Element

from errors import Invalid

from news.domain.alert import WORDS

NAMESPACE: Final = "urn:oasis:names:tc:emergency:cap:1.2"
_SIGNATURE: Final = "http://www.w3.org/2000/09/xmldsig#"
# Where a schema may be found, which nobody looks at here (XML Schema 1.0, section 2.6).
_HINTS: Final = frozenset(
    f"{{http://www.w3.org/2001/XMLSchema-instance}}{name}" for name in ("schemaLocation", "noNamespaceSchemaLocation")
)
# What XML calls white space, and nothing else.
_SPACE: Final = " \t\r\n"
# Section 3.3.2: with seconds and an offset of at most 14 hours, and never "Z".
_TIME: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}[-+](0[0-9]|1[0-3]):[0-5][0-9]")


class Part(NamedTuple):
    """An element: its name, how often it must and may be there, and whether it may be empty then."""

    name: str
    least: int = 0
    most: int = 1000
    empty: bool = False


# In the order of the schema.
ALERT: Final = (
    Part("identifier", 1, 1), Part("sender", 1, 1), Part("sent", 1, 1), Part("status", 1, 1), Part("msgType", 1, 1),
    Part("source", 0, 1), Part("scope", 1, 1), Part("restriction", 0, 1), Part("addresses", 0, 1), Part("code"),
    Part("note", 0, 1), Part("references", 0, 1), Part("incidents", 0, 1), Part("info"), Part("Signature"),
)  # fmt: skip
INFO: Final = (
    Part("language", 0, 1), Part("category", 1), Part("event", 1, 1), Part("responseType"), Part("urgency", 1, 1),
    Part("severity", 1, 1), Part("certainty", 1, 1), Part("audience", 0, 1), Part("eventCode"),
    Part("effective", 0, 1), Part("onset", 0, 1), Part("expires", 0, 1), Part("senderName", 0, 1),
    Part("headline", 0, 1), Part("description", 0, 1), Part("instruction", 0, 1), Part("web", 0, 1),
    Part("contact", 0, 1), Part("parameter"), Part("resource"), Part("area"),
)  # fmt: skip
AREA: Final = (
    Part("areaDesc", 1, 1), Part("polygon"), Part("circle"), Part("geocode"), Part("altitude", 0, 1),
    Part("ceiling", 0, 1),
)  # fmt: skip
_RESOURCE: Final = (
    Part("resourceDesc", 1, 1, empty=True), Part("mimeType", 1, 1, empty=True), Part("size", 0, 1), Part("uri", 0, 1),
    Part("derefUri", 0, 1), Part("digest", 0, 1),
)  # fmt: skip
_PAIR: Final = (Part("valueName", 1, 1, empty=True), Part("value", 1, 1, empty=True))
_WITH_PARTS: Final[Mapping[str, Sequence[Part]]] = {
    "info": INFO, "area": AREA, "resource": _RESOURCE, "eventCode": _PAIR, "parameter": _PAIR, "geocode": _PAIR,
}  # fmt: skip
_WORDS: Final[Mapping[str, frozenset[str]]] = {
    **WORDS,
    "status": frozenset({"Actual", "Exercise", "System", "Test", "Draft"}),
    "msgType": frozenset({"Alert", "Update", "Cancel", "Ack", "Error"}),
    "scope": frozenset({"Public", "Restricted", "Private"}),
    "responseType": frozenset(
        {"Shelter", "Evacuate", "Prepare", "Execute", "Avoid", "Monitor", "Assess", "AllClear", "None"}
    ),
}


def _is_time(text: str) -> bool:
    if not _TIME.fullmatch(text):
        return False
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def _like(pattern: str) -> Callable[[str], bool]:
    compiled = re.compile(pattern)
    return lambda text: compiled.fullmatch(text) is not None


_DECIMAL: Final = _like(r"[-+]?([0-9]+(\.[0-9]*)?|\.[0-9]+)")
_ADDRESS: Final = _like(
    r"([A-Za-z][A-Za-z0-9+.-]*:)?([A-Za-z0-9/._~?=&;,@!$'()*+-]|%[0-9A-Fa-f]{2})*(#[A-Za-z0-9/._~?=&;,@!$'()*+-]*)?"
)
_FORMS: Final[Mapping[str, tuple[Callable[[str], bool], str]]] = {
    **dict.fromkeys(("sent", "effective", "onset", "expires"), (_is_time, "no time such as 2027-01-31T09:00:00+00:00")),
    "language": (_like(r"[A-Za-z]{1,8}(-[A-Za-z0-9]{1,8})*"), "no language tag"),
    "size": (_like(r"[-+]?[0-9]+"), "no number of bytes"),
    "altitude": (_DECIMAL, "no number of feet"),
    "ceiling": (_DECIMAL, "no number of feet"),
    "web": (_ADDRESS, "no address of a page"),
    "uri": (_ADDRESS, "no address"),
}


def children(element: Element, parts: Sequence[Part]) -> dict[str, list[str]]:
    """The texts by element name, once everything in the element is right.

    Raises:
        Invalid: reason CAP_INVALID, with the element that breaks the schema.
    """
    order = {part.name: index for index, part in enumerate(parts)}
    found: dict[str, list[str]] = {}
    last = 0
    _must_hold_parts_alone(element)
    for child in element:
        name = _name(child)
        if name not in order:
            raise wrong(name, "there is no such element here")
        if order[name] < last:
            raise wrong(name, "it stands behind an element that it comes before")
        last = order[name]
        found.setdefault(name, []).append(_text(child, name))
    for part in parts:
        count = len(found.get(part.name, ()))
        if not part.least <= count <= part.most or (part.least and not part.empty and not all(found[part.name])):
            raise wrong(part.name, "it is missing, empty, or there more often than it may be")
    return found


def wrong(element: str, why: str) -> Invalid:
    return Invalid(f"{element}: {why}", reason="CAP_INVALID", element=element)


def _name(child: Element) -> str:
    space, _, name = child.tag.rpartition("}")
    if space == f"{{{_SIGNATURE}":
        return "Signature"
    if space != f"{{{NAMESPACE}" or name == "Signature":
        raise wrong(name, "there is no such element here")
    return name


def _text(child: Element, name: str) -> str:
    """What a simple element says; `.` for one with parts, which is looked into."""
    if name == "Signature":
        return "."
    if name in _WITH_PARTS:
        children(child, _WITH_PARTS[name])
        return "."
    if len(child) or _attributes(child):
        raise wrong(name, "it holds text, and nothing else")
    raw = child.text or ""
    text = raw.strip(_SPACE)
    if name in _WORDS and raw not in _WORDS[name]:
        raise wrong(name, f"{raw!r} is none of {', '.join(sorted(_WORDS[name]))}")
    if name in _FORMS:
        right, why = _FORMS[name]
        if not right(text):
            raise wrong(name, f"{text!r} is {why}")
    return text


def _must_hold_parts_alone(element: Element) -> None:
    between = (element.text, *(child.tail for child in element))
    if _attributes(element) or any((text or "").strip(_SPACE) for text in between):
        raise wrong(element.tag.rpartition("}")[2], "it holds elements, and nothing else")


def _attributes(element: Element) -> bool:
    return not element.attrib.keys() <= _HINTS
