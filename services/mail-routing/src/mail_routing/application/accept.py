"""Take a mail in: the one way for SMTP, Submit and our own reports."""

from dataclasses import dataclass, replace

import errors
import telemetry

from mail_routing.application.ports import AcceptedLog, Contents
from mail_routing.domain import classes, headers, message
from mail_routing.domain.message import Message


@dataclass(frozen=True, slots=True)
class AcceptLimits:
    """Octets of content that travel in the record itself, and hops after which a mail is going round."""

    inline_octets: int = 256 * 1024
    hops: int = 50


class Accept:
    """Returns when the mail is durable; from then on it is delivered, bounced or quarantined, whatever dies.

    `Invalid` for a mail that cannot be read (MALFORMED_MAIL, HEADER_TOO_LARGE) or that goes round (MAIL_LOOP),
    `Transient` when it could not be made durable.
    """

    def __init__(self, log: AcceptedLog, contents: Contents, hostname: str, limits: AcceptLimits | None = None) -> None:
        self._log = log
        self._contents = contents
        self._hostname = hostname
        self._limits = limits or AcceptLimits()
        self._size = telemetry.names.MAIL_SIZE.bind()

    async def __call__(self, mail: Message) -> None:
        with telemetry.observe("mail.accept"):
            accepted = await self.prepare(mail)
            telemetry.points.reached("mail.accept.stored")
            await self._log.append(accepted)
            telemetry.points.reached("mail.accept.durable")
        lane, channel = accepted.message_class.value, mail.origin.value
        telemetry.names.MAIL_ACCEPTED.bind(lane=lane, channel=channel).inc()
        telemetry.names.MAIL_BY_ENTITY.bind(entity=mail.entity_id or "none").inc()
        self._size.observe(mail.size)

    async def prepare(self, mail: Message) -> Message:
        """Check it, and store content that is too large for a record: what is left to do is to make it durable."""
        assert isinstance(mail.content, bytes)
        present = headers.read(mail.content)
        if message.hops(present) > self._limits.hops:
            raise errors.Invalid("the mail has passed too many servers", reason="MAIL_LOOP")
        if (stated := classes.stated(mail, present)) is not mail.message_class:
            mail = replace(mail, message_class=stated)
        if mail.origin.trusted and not mail.internet_message_id and not present.has("message-id"):
            mail = replace(mail, internet_message_id=message.named_by_us(mail, self._hostname))
        return mail if mail.size <= self._limits.inline_octets else await self._contents.kept_outside(mail)
