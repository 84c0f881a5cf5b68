"""The SMS channel: a provider over HTTP that honours idempotency keys and tells by signed receipts what became."""

import hashlib
import hmac
import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Final

import aiohttp
from errors import Invalid, NotAllowed, Transient

from notification.adapters.window import Window
from notification.application.ports import NotTaken
from notification.domain.texts import Message, Submission

# How far the clock of a receipt may be off: an old one that somebody kept is not taken.
_SIGNED_WITHIN: Final = timedelta(minutes=5)
_TIMEOUT: Final = aiohttp.ClientTimeout(total=15, connect=5)
# What another attempt does not change: the provider has understood, and does not want it.
_REFUSALS: Final = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY})
# It has said that it took nothing.
_BUSY: Final = frozenset(
    {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}
)
_FINAL: Final = {"delivered": True, "failed": False, "expired": False, "rejected": False}


class SmsProvider:
    """The provider at `url`; it sends its receipts to `receipts`."""

    name = "sms-http"
    idempotent = True
    confirms = False

    def __init__(self, url: str, key: str, receipts: str, window: int) -> None:
        """`window`: requests under way at one time."""
        self._messages = f"{url.rstrip('/')}/messages"
        self._key = key
        self._receipts = receipts
        self._window = Window(window)
        self._client: aiohttp.ClientSession | None = None

    async def start(self) -> None:
        # The window limits: in a pool with a limit, an emergency would wait behind the others.
        self._client = aiohttp.ClientSession(
            timeout=_TIMEOUT,
            headers={"Authorization": f"Bearer {self._key}"},
            connector=aiohttp.TCPConnector(limit=0),
        )

    async def stop(self) -> None:
        if self._client is not None:
            await self._client.close()

    async def submit(self, message: Message, submission: Submission) -> str:
        async with self._window.place(submission.lane):
            return await self._posted(message, submission.key)

    async def _posted(self, message: Message, key: str) -> str:
        assert self._client is not None, "started before the consumers"
        said = {"to": message.to, "text": message.text, "reference": key, "receipts": self._receipts}
        try:
            async with self._client.post(
                self._messages, json=said, headers={"Idempotency-Key": key}, allow_redirects=False
            ) as answer:
                if answer.status in _REFUSALS:
                    raise Invalid("the provider refuses the message", reason="PROVIDER_REFUSED")
                if answer.status in _BUSY:
                    raise NotTaken(f"the provider answers {answer.status}", reason="PROVIDER_BUSY")
                if answer.status not in {HTTPStatus.OK, HTTPStatus.ACCEPTED}:
                    raise Transient(f"the provider answers {answer.status}", reason="PROVIDER_UNAVAILABLE")
                return str((await answer.json())["id"])
        except aiohttp.ClientConnectorError as error:
            raise NotTaken("the provider cannot be reached", reason="PROVIDER_UNREACHABLE") from error
        except (aiohttp.ClientError, TimeoutError, KeyError, ValueError) as error:
            raise Transient("the provider did not answer as it should", reason="PROVIDER_UNAVAILABLE") from error


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the provider says: `delivered` is None while it is still on its way."""

    key: str
    delivered: bool | None


def read_receipt(body: bytes, *, timestamp: str, signature: str, secret: str, now: datetime) -> Receipt:
    """The receipt in a request of the provider.

    Args:
        body: as it came.
        timestamp: Unix seconds.
        signature: HMAC-SHA256 in hexadecimal over timestamp, "." and body.
        secret: what the provider and we know.
        now: aware.

    Raises:
        NotAllowed: somebody else has made it, or somebody has kept it for long.
        Invalid: it is signed, and cannot be read.
    """
    expected = hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(expected.encode(), signature.encode()):
        raise NotAllowed("the signature is not the provider's", reason="RECEIPT_FORGED")
    if not (timestamp.isascii() and timestamp.isdigit()):
        raise Invalid("the time of the signature is none", reason="RECEIPT_UNREADABLE")
    if abs(now.timestamp() - int(timestamp)) > _SIGNED_WITHIN.total_seconds():
        raise NotAllowed("the signature is too old", reason="RECEIPT_FORGED")
    try:
        said = json.loads(body)
        return Receipt(key=str(said["reference"]), delivered=_FINAL.get(said["status"]))
    except (ValueError, KeyError, TypeError) as error:
        raise Invalid("the receipt cannot be read", reason="RECEIPT_UNREADABLE") from error
