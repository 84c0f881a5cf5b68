"""A personal feed for other programs: Atom (RFC 4287) and JSON Feed 1.1."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from xml.etree.ElementTree import Element, SubElement, tostring

_ATOM: Final = "http://www.w3.org/2005/Atom"
_NEVER: Final = datetime.fromtimestamp(0, UTC)


@dataclass(frozen=True, slots=True)
class Entry:
    """One post as its reader sees it; `updated` is when the version was published, `published` the first one."""

    post_id: str
    title: str
    html: str
    locale: str
    author: str
    category: str
    published: datetime
    updated: datetime


def atom(feed_id: str, title: str, entries: Sequence[Entry]) -> bytes:
    """The same entries give the same bytes."""
    feed = Element("feed", xmlns=_ATOM)
    _text(feed, "id", f"urn:rossio:feed:{feed_id}")
    _text(feed, "title", title)
    _text(feed, "updated", _updated(entries).isoformat())
    for entry in entries:
        element = SubElement(feed, "entry", {"xml:lang": entry.locale})
        _text(element, "id", _id(entry))
        _text(element, "title", entry.title)
        _text(element, "updated", entry.updated.isoformat())
        _text(element, "published", entry.published.isoformat())
        _text(SubElement(element, "author"), "name", entry.author)
        if entry.category:
            SubElement(element, "category", term=entry.category)
        _text(element, "content", entry.html).set("type", "html")
    return tostring(feed, encoding="unicode", xml_declaration=True).encode()


def json_feed(title: str, entries: Sequence[Entry]) -> bytes:
    """The same entries give the same bytes."""
    items: list[dict[str, Any]] = [
        {
            "id": _id(entry),
            "title": entry.title,
            "content_html": entry.html,
            "language": entry.locale,
            "authors": [{"name": entry.author}],
            "tags": [entry.category] if entry.category else [],
            "date_published": entry.published.isoformat(),
            "date_modified": entry.updated.isoformat(),
        }
        for entry in entries
    ]
    feed = {"version": "https://jsonfeed.org/version/1.1", "title": title, "items": items}
    return json.dumps(feed, ensure_ascii=False).encode()


def _updated(entries: Sequence[Entry]) -> datetime:
    return max((entry.updated for entry in entries), default=_NEVER)


def _id(entry: Entry) -> str:
    return f"urn:rossio:post:{entry.post_id}"


def _text(parent: Element, name: str, text: str) -> Element:
    element = SubElement(parent, name)
    element.text = text
    return element
