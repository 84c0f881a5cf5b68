"""Submit: a mail handed in over gRPC by a person or a service."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import errors
from rpc import Caller

from mail_routing.application.accept import Accept
from mail_routing.application.authorise import Authorise
from mail_routing.domain import address, internet_message_id, message, route
from mail_routing.domain.message import Message, MessageClass, Origin, Recipient
from mail_routing.domain.route import Refusal, Route, Sender


@dataclass(frozen=True, slots=True)
class Submission:
    """What was handed in; `message_id` follows from the caller and the request, so that repeats are one mail."""

    message_id: str
    sender: str
    recipients: tuple[str, ...]
    content: bytes
    message_class: MessageClass


class Submit:
    """Takes the mail in, or none of it: every recipient has to be one that the route would take."""

    def __init__(
        self,
        the_route: Route,
        accept: Accept,
        authorise: Authorise,
        *,
        now: Callable[[], datetime],
    ) -> None:
        self._route = the_route
        self._accept = accept
        self._authorise = authorise
        self._now = now

    async def __call__(self, caller: Caller, mail: Submission) -> None:
        sender = address.parse(mail.sender)
        if mail.message_class is MessageClass.URGENT and caller.kind != "service":
            raise errors.NotAllowed("urgent mail is for services", reason="CLASS_NOT_ALLOWED")
        if not message.sound(mail.content):
            raise errors.Invalid("the mail has a bare CR, a bare LF or a NUL", reason="BARE_LINE_END")
        content = mail.content if mail.content.endswith(b"\r\n") else mail.content + b"\r\n"
        content = await self._authorise(caller, sender, content)
        recipients = tuple(map(address.parse, dict.fromkeys(mail.recipients)))
        for number, recipient in enumerate(recipients, 1):
            finding = route.find(self._route, Sender(sender, trusted=True), recipient)
            if isinstance(finding, Refusal):
                raise errors.Invalid(
                    f"recipient {number}: {finding.reason}", reason="RECIPIENT_REFUSED", status=finding.status
                )
        await self._accept(
            Message(
                message_id=mail.message_id,
                entity_id=self._route.directory.entity_of_domain(address.split(sender)[1]) or "",
                sender=sender,
                recipients=tuple(map(Recipient, recipients)),
                content=content,
                size=len(content),
                message_class=mail.message_class,
                accepted_at=self._now(),
                origin=Origin.GRPC,
                smtputf8=not "".join((sender, *recipients)).isascii(),
                principal=caller.subject,
                internet_message_id=internet_message_id.of(content),
            )
        )
