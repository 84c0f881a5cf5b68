"""Opaque page tokens for keyset paging (AIP-158), bound to the method and the filter."""

import base64
import hashlib
import json
from typing import Protocol

from errors import Invalid
from google.protobuf.message import Message

from rpc.identity import current


class Paged(Protocol):
    """A request message of a List method."""

    page_size: int
    page_token: str


def page_size(request: Paged, *, default: int = 100, most: int = 1000) -> int:
    """Returns how many items to list: 0 asks for the default, and more than `most` gets `most`.

    Raises:
        Invalid: it is negative.
    """
    if request.page_size < 0:
        raise Invalid("page_size is negative", reason="PAGE_SIZE")
    return min(request.page_size or default, most)


def page_token(request: Paged, *after: str | int) -> str:
    """Returns the token of the page that begins after the item with this key, for the method in hand."""
    text = json.dumps([_filter(request), *after], ensure_ascii=False, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def read_page_token(request: Paged) -> tuple[str | int, ...]:
    """Returns the key that the token holds; empty for the first page.

    Raises:
        Invalid: it is no token, or one of another method or of another filter.
    """
    if not request.page_token:
        return ()
    try:
        padded = request.page_token + "=" * (-len(request.page_token) % 4)
        bound, *after = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (ValueError, TypeError):
        raise Invalid("page_token is not one that this method gave", reason="PAGE_TOKEN") from None
    if bound != _filter(request) or not after or not all(type(part) in {str, int} for part in after):
        raise Invalid("page_token belongs to another method or another filter", reason="PAGE_TOKEN")
    return tuple(after)


def _filter(request: Paged) -> str:
    """A digest of the method and of everything in the request that chooses what is listed."""
    assert isinstance(request, Message)
    plain = type(request)()
    plain.CopyFrom(request)
    for name in ("page_token", "page_size"):
        plain.ClearField(name)
    body = plain.SerializeToString(deterministic=True)
    return hashlib.blake2b(current().method.encode() + b"\0" + body, digest_size=8).hexdigest()
