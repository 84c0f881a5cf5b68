"""Alerts on the wire: the Common Alerting Protocol 1.2 (OASIS, 1 July 2010), read and written.

What is read is held against the rules of the standard (section 3.2 and the schema of section 3.4): which
elements there are, in which order, how many, with which words. Signatures (section 3.3.2.1), resources and
the geometry of areas are let through unread.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple
from xml.etree.ElementTree import Element, ParseError, SubElement, tostring

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring
from errors import Invalid

from news.domain.alert import WORDS

NAMESPACE: Final = "urn:oasis:names:tc:emergency:cap:1.2"
# Section 3.3.2: with seconds and an offset, and never "Z".
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[-+]\d\d:\d\d")
# Section 3.2.1: no spaces, commas or restricted characters.
_NAME: Final = re.compile(r"[^\s,<&]+")
_DEFAULT_LANGUAGE: Final = "en-US"


class _Part(NamedTuple):
    """An element: its name, and how often it may and must be there."""

    name: str
    least: int = 0
    most: int = 1000


# In the order of the schema.
_ALERT: Final = (
    _Part("identifier", 1, 1), _Part("sender", 1, 1), _Part("sent", 1, 1), _Part("status", 1, 1),
    _Part("msgType", 1, 1), _Part("source", 0, 1), _Part("scope", 1, 1), _Part("restriction", 0, 1),
    _Part("addresses", 0, 1), _Part("code"), _Part("note", 0, 1), _Part("references", 0, 1),
    _Part("incidents", 0, 1), _Part("info"), _Part("Signature"),
)  # fmt: skip
_INFO: Final = (
    _Part("language", 0, 1), _Part("category", 1), _Part("event", 1, 1), _Part("responseType"),
    _Part("urgency", 1, 1), _Part("severity", 1, 1), _Part("certainty", 1, 1), _Part("audience", 0, 1),
    _Part("eventCode"), _Part("effective", 0, 1), _Part("onset", 0, 1), _Part("expires", 0, 1),
    _Part("senderName", 0, 1), _Part("headline", 0, 1), _Part("description", 0, 1), _Part("instruction", 0, 1),
    _Part("web", 0, 1), _Part("contact", 0, 1), _Part("parameter"), _Part("resource"), _Part("area"),
)  # fmt: skip
_AREA: Final = (
    _Part("areaDesc", 1, 1), _Part("polygon"), _Part("circle"), _Part("geocode"), _Part("altitude", 0, 1),
    _Part("ceiling", 0, 1),
)  # fmt: skip
_WORDS: Final[Mapping[str, frozenset[str]]] = {
    **WORDS,
    "status": frozenset({"Actual", "Exercise", "System", "Test", "Draft"}),
    "msgType": frozenset({"Alert", "Update", "Cancel", "Ack", "Error"}),
    "scope": frozenset({"Public", "Restricted", "Private"}),
    "responseType": frozenset(
        {"Shelter", "Evacuate", "Prepare", "Execute", "Avoid", "Monitor", "Assess", "AllClear", "None"}
    ),
}
_TIMES: Final = frozenset({"sent", "effective", "onset", "expires"})


@dataclass(frozen=True, slots=True)
class Info:
    """An alert in one language; `text` is description and instruction."""

    language: str
    category: str
    event: str
    urgency: str
    severity: str
    certainty: str
    headline: str
    text: str
    area: str
    expires: datetime | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """A CAP message; `references` are those before it, each "sender,identifier,sent", as is its own `name`."""

    identifier: str
    sender: str
    sent: datetime
    status: str
    kind: str
    scope: str
    references: tuple[str, ...] = ()
    infos: tuple[Info, ...] = ()
    restriction: str = ""

    @property
    def name(self) -> str:
        return f"{self.sender},{self.identifier},{_time(self.sent)}"


def read(text: str) -> Message:
    """What the message says.

    Raises:
        Invalid: reason CAP_MALFORMED for no XML, CAP_INVALID with the element that breaks the standard.
    """
    try:
        alert = fromstring(text, forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError) as error:
        raise Invalid(f"it is no XML: {error}", reason="CAP_MALFORMED") from error
    if alert.tag != f"{{{NAMESPACE}}}alert":
        raise _wrong("alert", f"the document is no alert of {NAMESPACE}")
    said = _children(alert, _ALERT)
    for name in ("identifier", "sender"):
        if not _NAME.fullmatch(said[name][0]):
            raise _wrong(name, "it holds a space, a comma, < or &")
    kind, scope = said["msgType"][0], said["scope"][0]
    references = tuple(_first(said, "references").split())
    if any(len(each.split(",")) != 3 for each in references):
        raise _wrong("references", 'each is "sender,identifier,sent"')
    if kind != "Alert" and not references:
        raise _wrong("references", f"a message of type {kind} says to which it belongs")
    if scope == "Private" and not _first(said, "addresses"):
        raise _wrong("addresses", "a private message says for whom it is")
    if scope == "Restricted" and not _first(said, "restriction"):
        raise _wrong("restriction", "a restricted message says how")
    return Message(
        identifier=said["identifier"][0],
        sender=said["sender"][0],
        sent=datetime.fromisoformat(said["sent"][0]),
        status=said["status"][0],
        kind=kind,
        scope=scope,
        references=references,
        infos=tuple(_info(each) for each in alert.findall(f"{{{NAMESPACE}}}info")),
        restriction=_first(said, "restriction"),
    )


def write(message: Message) -> str:
    """The message as XML; what this writes, `read` reads."""
    alert = Element("alert", xmlns=NAMESPACE)
    _append(
        alert,
        identifier=message.identifier,
        sender=message.sender,
        sent=_time(message.sent),
        status=message.status,
        msgType=message.kind,
        scope=message.scope,
        restriction=message.restriction,
        references=" ".join(message.references),
    )
    for info in message.infos:
        element = SubElement(alert, "info")
        _append(
            element,
            language=info.language,
            category=info.category,
            event=info.event,
            urgency=info.urgency,
            severity=info.severity,
            certainty=info.certainty,
            expires=_time(info.expires) if info.expires else "",
            headline=info.headline,
            description=info.text,
        )
        _append(SubElement(element, "area"), areaDesc=info.area)
    return tostring(alert, encoding="unicode", xml_declaration=True)


def _info(element: Element) -> Info:
    said = _children(element, _INFO)
    areas = [_children(area, _AREA)["areaDesc"][0] for area in element.findall(f"{{{NAMESPACE}}}area")]
    expires = _first(said, "expires")
    return Info(
        language=_first(said, "language") or _DEFAULT_LANGUAGE,
        category=said["category"][0],
        event=said["event"][0],
        urgency=said["urgency"][0],
        severity=said["severity"][0],
        certainty=said["certainty"][0],
        headline=_first(said, "headline") or said["event"][0],
        text="\n\n".join(filter(None, (_first(said, "description"), _first(said, "instruction")))),
        area=", ".join(areas),
        expires=datetime.fromisoformat(expires) if expires else None,
    )


def _children(element: Element, parts: Sequence[_Part]) -> dict[str, list[str]]:
    """The texts by element name, once names, order, numbers, words and times are right."""
    order = {part.name: index for index, part in enumerate(parts)}
    found: dict[str, list[str]] = {}
    last = 0
    for child in element:
        space, _, name = child.tag.rpartition("}")
        if name not in order or (space != f"{{{NAMESPACE}" and name != "Signature"):
            raise _wrong(name, "there is no such element here")
        if order[name] < last:
            raise _wrong(name, "it stands behind an element that it comes before")
        last = order[name]
        text = (child.text or "").strip()
        if name in _WORDS and text not in _WORDS[name]:
            raise _wrong(name, f"{text!r} is none of {', '.join(sorted(_WORDS[name]))}")
        if name in _TIMES:
            _check_time(name, text)
        found.setdefault(name, []).append(text)
    for part in parts:
        count = len(found.get(part.name, ()))
        if not part.least <= count <= part.most or (part.least and not all(found[part.name])):
            raise _wrong(part.name, "it is missing, empty, or there more often than it may be")
    return found


def _check_time(name: str, text: str) -> None:
    try:
        right = _TIME.fullmatch(text) is not None and datetime.fromisoformat(text) is not None
    except ValueError:
        right = False
    if not right:
        raise _wrong(name, f"{text!r} is no time such as 2027-01-31T09:00:00+00:00")


def _append(element: Element, **said: str) -> None:
    for name, text in said.items():
        if text:
            SubElement(element, name).text = text


def _first(said: Mapping[str, Sequence[str]], name: str) -> str:
    return said[name][0] if name in said else ""


def _time(at: datetime) -> str:
    return at.isoformat(timespec="seconds")


def _wrong(element: str, why: str) -> Invalid:
    return Invalid(f"{element}: {why}", reason="CAP_INVALID", element=element)
