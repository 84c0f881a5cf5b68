"""The SMS channel over SMPP, and the receipts that come back on the same session."""

import hashlib
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

import telemetry
from errors import Transient

from notification.adapters.smpp import pdu
from notification.adapters.smpp.pdu import CommandStatus, ShortMessage
from notification.adapters.smpp.segments import segments
from notification.adapters.smpp.session import Peer, Session
from notification.application.ports import NotTaken
from notification.domain.texts import Message, Submission
from notification.domain.vocabulary import Channel, Receipted

_log = telemetry.logger(__name__)
# The usual text of a receipt (Appendix B), for message centres that send no optional parameters.
_TEXT: Final = re.compile(rb"id:(?P<id>\S+) .*\bstat:(?P<state>[A-Z]{7})", re.IGNORECASE | re.DOTALL)
_STATES: Final = {
    b"DELIVRD": True, b"EXPIRED": False, b"DELETED": False, b"UNDELIV": False, b"UNKNOWN": False, b"REJECTD": False,
}  # fmt: skip
# Section 5.2.28; the others mean that it is still on its way.
_CODES: Final = {2: True, 3: False, 4: False, 5: False, 7: False, 8: False}
# A receipt may be faster than our own note of the submission; after that nobody knows the message.
_UNKNOWN_FOR: Final = 60.0
_MOST_UNKNOWN: Final = 10_000

TakeReceipt = Callable[[str, bool], Awaitable[Receipted]]
"""Reference and whether it was delivered -> what was done."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """`delivered` is None while it is still on its way."""

    message_id: str
    delivered: bool | None


def read_receipt(message: ShortMessage) -> Receipt | None:
    """The receipt in what was delivered; None when it is something else, such as an answer of somebody."""
    if not message.esm_class & pdu.RECEIPT:
        return None
    found = _TEXT.search(message.content)
    message_id = message.options.get(pdu.RECEIPTED_MESSAGE_ID, b"").rstrip(b"\0") or (found["id"] if found else b"")
    state = message.options.get(pdu.MESSAGE_STATE)
    if not message_id or (state is None and found is None):
        return None
    delivered = _CODES.get(state[0]) if state else _STATES.get(found["state"].upper()) if found else None
    return Receipt(message_id.decode("latin-1"), delivered)


class SmppProvider:
    """A message that needs several segments is known by the ids of all, and a receipt is asked for each."""

    idempotent = False
    confirms = False

    def __init__(
        self, name: str, peer: Peer, sender: str, take: TakeReceipt, *, unknown_for: float = _UNKNOWN_FOR
    ) -> None:
        """`unknown_for`: the seconds for which a receipt of a message that nobody knows has to come again."""
        self.name = name
        self._sender = sender
        self._take = take
        self._unknown_for = unknown_for
        self._unknown: dict[str, float] = {}
        self._session = Session(peer, self._receive)

    async def start(self) -> None:
        await self._session.start()

    async def stop(self) -> None:
        await self._session.stop()

    async def submit(self, message: Message, submission: Submission) -> str:
        reference = hashlib.sha256(submission.key.encode()).digest()[0]
        parts = segments(message.text, reference)
        message_ids = []
        for number, part in enumerate(parts, 1):
            short = ShortMessage(
                source=self._sender,
                destination=message.to,
                content=part.content,
                esm_class=pdu.UDH if part.has_header else 0,
                data_coding=part.data_coding,
                registered_delivery=1,
            )
            try:
                message_ids.append(await self._session.submit(short, submission.lane))
            except NotTaken as error:
                if number == 1:
                    raise
                raise Transient("a part of the message was taken", reason="PROVIDER_UNAVAILABLE") from error
        return " ".join(message_ids)

    async def _receive(self, message: ShortMessage) -> CommandStatus:
        with telemetry.observe("notification.receipt", kind=telemetry.Kind.SERVER):
            outcome = await self._outcome(read_receipt(message))
        telemetry.names.NOTIFICATION_RECEIPTS.bind(channel=Channel.SMS.value, outcome=outcome).inc()
        return CommandStatus.TEMPORARY if outcome == "early" else CommandStatus.OK

    async def _outcome(self, receipt: Receipt | None) -> str:
        if receipt is None:
            return "unreadable"
        if receipt.delivered is None:
            return "passing"
        done = await self._take(receipt.message_id, receipt.delivered)
        if done is not Receipted.UNKNOWN:
            self._unknown.pop(receipt.message_id, None)
            return done.value
        now = time.monotonic()
        if len(self._unknown) > _MOST_UNKNOWN:
            self._unknown.clear()
        first = self._unknown.setdefault(receipt.message_id, now)
        if now - first < self._unknown_for:
            return "early"
        del self._unknown[receipt.message_id]
        return Receipted.UNKNOWN.value
