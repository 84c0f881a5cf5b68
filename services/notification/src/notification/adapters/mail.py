"""The e-mail channel: mail-routing takes it over."""

import re
from collections.abc import Mapping
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from typing import Final

import rpc
from errors import Invalid, Transient, Unauthenticated
from rossio.mail.v1 import events_pb2, service_pb2
from rossio.mail.v1.service_pb2_grpc import MailServiceStub

from notification.adapters.pdf import pdf
from notification.application.ports import AddressGone
from notification.domain.texts import Message, Submission
from notification.domain.vocabulary import Lane, Topic

# Bad mailbox, bad system, bad syntax, moved, no mail taken (RFC 3463, 3.2; RFC 7505).
_GONE: Final = re.compile(r"5\.1\.(1|2|3|6|10)")
_CLASSES: Final[Mapping[Topic, events_pb2.MessageClass.ValueType]] = {
    Topic.PRESCRIPTION: events_pb2.MESSAGE_CLASS_URGENT,
    Topic.NEWS: events_pb2.MESSAGE_CLASS_BULK,
}
_CLASSES_OF_LANES: Final[Mapping[Lane, events_pb2.MessageClass.ValueType]] = {
    Lane.EMERGENCY: events_pb2.MESSAGE_CLASS_URGENT,
    Lane.TRANSACTIONAL: events_pb2.MESSAGE_CLASS_NORMAL,
    Lane.BULK: events_pb2.MESSAGE_CLASS_BULK,
}


def is_gone(status: str) -> bool:
    """Whether an enhanced status code says that there is nobody at the address."""
    return _GONE.fullmatch(status) is not None


class MailRouting:
    """Submits mails; the same key is the same mail."""

    name = "mail-routing"
    idempotent = True
    confirms = False

    def __init__(self, stub: MailServiceStub, sender: str) -> None:
        self._stub = stub
        self._sender = sender

    async def submit(self, message: Message, submission: Submission) -> str:
        request = service_pb2.SubmitRequest(
            request_id=submission.key,
            sender=self._sender,
            recipients=[message.to],
            content=as_rfc5322(message, submission, sender=self._sender),
        )
        chosen = _CLASSES.get(submission.topic, _CLASSES_OF_LANES[submission.lane])
        setattr(request, "class", chosen)
        try:
            with rpc.typed_errors():
                return (await self._stub.Submit(request)).message_id
        except Invalid as error:
            if is_gone(error.details.get("status", "")):
                raise AddressGone("there is nobody at the address", reason="ADDRESS_GONE") from error
            raise
        except Unauthenticated as error:
            raise Transient("our token is none that mail-routing takes", reason="TOKEN_REFUSED") from error


def as_rfc5322(message: Message, submission: Submission, *, sender: str) -> bytes:
    """The mail on the wire; it says that a machine wrote it, so that no machine answers (RFC 3834).

    Where it may be ended by one click it says so (RFC 2369, RFC 8058).
    """
    mail = EmailMessage(policy=SMTP if message.to.isascii() else SMTPUTF8)
    mail["From"] = Address("Rossio", addr_spec=sender)
    mail["To"] = _address(message.to)
    mail["Subject"] = " ".join(message.subject.split())
    mail["Message-ID"] = f"<{submission.notification_id}@{sender.rpartition('@')[2]}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail["Rossio-Topic"] = submission.topic.value
    if submission.unsubscribe:
        mail["List-Unsubscribe"] = f"<{submission.unsubscribe}>"
        mail["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    mail.set_content(message.text)
    if message.html:
        mail.add_alternative(message.html, subtype="html")
    if message.pdf:
        document = pdf(mail["Subject"], message.text)
        mail.add_attachment(document, maintype="application", subtype="pdf", filename=message.pdf)
    return mail.as_bytes()


def _address(address: str) -> Address:
    """The library takes an address with non-ASCII characters (RFC 6531) in its parts only."""
    if address.isascii():
        return Address(addr_spec=address)
    local, _, domain = address.rpartition("@")
    return Address(username=local, domain=domain)
