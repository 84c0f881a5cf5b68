"""Alerts on the wire: the Common Alerting Protocol 1.2 (OASIS, 1 July 2010), read and written.

What is read is held against the schema (`cap_schema`) and the rules of section 3.2 that no schema can say.
Signatures are not verified; resources and the geometry of areas are held against the schema, and not used.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from xml.etree.ElementTree import Element, ParseError, SubElement, tostring

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring
from errors import Invalid

from news.domain.cap_schema import ALERT, AREA, INFO, NAMESPACE, children, wrong

# Section 3.2.1: no spaces, commas or restricted characters.
_NAME: Final = re.compile(r"[^\s,<&]+")
_DEFAULT_LANGUAGE: Final = "en-US"


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
        raise wrong("alert", f"the document is no alert of {NAMESPACE}")
    said = children(alert, ALERT)
    for name in ("identifier", "sender"):
        if not _NAME.fullmatch(said[name][0]):
            raise wrong(name, "it holds a space, a comma, < or &")
    kind, scope = said["msgType"][0], said["scope"][0]
    references = tuple(_first(said, "references").split())
    if any(len(each.split(",")) != 3 for each in references):
        raise wrong("references", 'each is "sender,identifier,sent"')
    if kind != "Alert" and not references:
        raise wrong("references", f"a message of type {kind} says to which it belongs")
    if scope == "Private" and not _first(said, "addresses"):
        raise wrong("addresses", "a private message says for whom it is")
    if scope == "Restricted" and not _first(said, "restriction"):
        raise wrong("restriction", "a restricted message says how")
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
    said = children(element, INFO)
    areas = [children(area, AREA)["areaDesc"][0] for area in element.findall(f"{{{NAMESPACE}}}area")]
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


def _append(element: Element, **said: str) -> None:
    for name, text in said.items():
        if text:
            SubElement(element, name).text = text


def _first(said: Mapping[str, Sequence[str]], name: str) -> str:
    return said[name][0] if name in said else ""


def _time(at: datetime) -> str:
    return at.isoformat(timespec="seconds")
