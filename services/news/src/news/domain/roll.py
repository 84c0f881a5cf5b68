"""The roll of a post as lines that a program without the suite can verify.

Line 1 is a JSON object about the post, then one a person by number, then `{"signature": BASE64}`: Ed25519
(RFC 8032) over all bytes before that line. Lines end with a line feed; keys are sorted.
"""

import base64
import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from news.domain.post import Live

FORMAT: Final = "rossio-roll-1"


def head(
    post_id: str, entity_id: str, live: Live, readers: int, acknowledged: int, at: datetime, public_key: bytes
) -> bytes:
    """What the roll is of; `text` is the SHA-256 of the titles and texts that readers saw."""
    texts = hashlib.sha256()
    for variant in live.content.variants:
        for part in (variant.locale, variant.title, variant.body):
            texts.update(len(encoded := part.encode()).to_bytes(8) + encoded)
    deadline = live.content.acknowledge_by
    return _line(
        {
            "format": FORMAT,
            "post": post_id,
            "entity": entity_id,
            "version": live.text_version,
            "title": live.content.variants[0].title,
            "text": texts.hexdigest(),
            "audience": live.content.audience,
            "kind": live.content.audience_kind.value,
            "published": live.published_at.isoformat(),
            "deadline": deadline.isoformat() if deadline else "",
            "made": at.isoformat(),
            "readers": readers,
            "acknowledged": acknowledged,
            "key": base64.b64encode(public_key).decode(),
        }
    )


def line(person_id: str, entity_id: str, unit_id: str, mark: tuple[datetime, str] | None) -> bytes:
    """One person; `mark` is when they acknowledged and which delegate did it for them, None: they have not."""
    said: dict[str, object] = {"person": person_id, "entity": entity_id, "unit": unit_id}
    if mark is not None:
        at, delegate_id = mark
        said |= {"acknowledged": at.isoformat(), "delegate": delegate_id}
    return _line(said)


def signature(signed: bytes) -> bytes:
    return _line({"signature": base64.b64encode(signed).decode()})


def _line(said: Mapping[str, object]) -> bytes:
    return json.dumps(said, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode() + b"\n"
