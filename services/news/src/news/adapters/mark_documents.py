"""The documents that marks are in: one for all that were taken in at once, and one into which those are folded.

A folded document holds its people as a bitmap. When each of them acknowledged stands in `when`: milliseconds since
1970, 8 bytes each, little-endian, in the order of the numbers, compressed (RFC 1950). When somebody has read is not
kept once it is folded: nobody asks for it.
"""

import sys
import zlib
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import messaging
from directory_view import Bitmap
from store import Document, Insert

from news.adapters import wire
from news.application.ports import Mark, MarkKind, Taken

Key = tuple[str, str, int]
"""Kind, post and version of the text."""

KEY_FIELDS: Final = {"post_id": True, "text_version": True, "kind": True, "at": True}
PEOPLE_FIELDS: Final = {**KEY_FIELDS, "numbers": True, "people": True}
_EPOCH: Final = datetime.fromtimestamp(0, UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)


def key_of(document: Mapping[str, Any]) -> Key:
    return document["kind"], document["post_id"], document["text_version"]


def folded_id(key: Key) -> str:
    """The one folded document of a key; others have ids of their own."""
    kind, post_id, text_version = key
    return f"{kind}/{post_id}/{text_version}"


def together(marks: Sequence[Mark], at: datetime) -> Insert:
    """Marks of one version that were taken in at once.

    Acknowledgements are facts for others; what somebody reads is nobody else's matter.
    """
    first = marks[0]
    document: Document = {
        "_id": messaging.new_id(),
        "post_id": first.post_id,
        "text_version": first.text_version,
        "kind": first.kind.value,
        "numbers": [mark.number for mark in marks],
        "delegates": [[mark.number, mark.delegate_id] for mark in marks if mark.delegate_id],
        "at": at,
        # Not folded yet; a folded one has no such field.
        "loose": True,
    }
    return Insert(document, [wire.acknowledged(marks, at)] if first.kind is MarkKind.ACKNOWLEDGED else ())


def people_of(document: Mapping[str, Any]) -> Iterable[int]:
    """Whose marks are in the document, of either kind."""
    return Bitmap.deserialize(document["people"]) if "people" in document else document["numbers"]


def taken_of(document: Mapping[str, Any]) -> Iterator[Taken]:
    """Every mark with its circumstances."""
    delegates = dict(document["delegates"])
    if "people" not in document:
        for number in document["numbers"]:
            yield Taken(number, document["at"], delegates.get(number, ""))
        return
    people = Bitmap.deserialize(document["people"])
    times = _times(document["when"]) if document["when"] else [_milliseconds(document["at"])] * len(people)
    for number, at in zip(people, times, strict=True):
        yield Taken(number, _EPOCH + at * _MILLISECOND, delegates.get(number, ""))


def folded(key: Key, documents: Iterable[Mapping[str, Any]], at: datetime) -> Document:
    """One document that says what all of these say; folded again, it is the same.

    Of several marks of one person the earliest holds, with its delegate. `at` is when it is written, so that
    other processes read it.
    """
    first: dict[int, Taken] = {}
    for document in documents:
        for taken in taken_of(document):
            held = first.get(taken.number)
            if held is None or taken.at < held.at:
                first[taken.number] = taken
    kind, post_id, text_version = key
    people = Bitmap(first)
    when = b""
    if kind == MarkKind.ACKNOWLEDGED:
        when = _packed(_milliseconds(first[number].at) for number in people)
    return {
        "post_id": post_id,
        "text_version": text_version,
        "kind": kind,
        "people": people.serialize(),
        "when": when,
        # What a release that knows no folded documents looks for.
        "numbers": [],
        "delegates": [[number, first[number].delegate_id] for number in people if first[number].delegate_id],
        "at": at,
    }


def _milliseconds(at: datetime) -> int:
    return (at - _EPOCH) // _MILLISECOND


def _packed(times: Iterable[int]) -> bytes:
    packed = array("Q", times)
    if sys.byteorder == "big":
        packed.byteswap()
    return zlib.compress(packed.tobytes())


def _times(when: bytes) -> "array[int]":
    times = array("Q", zlib.decompress(when))
    if sys.byteorder == "big":
        times.byteswap()
    return times
