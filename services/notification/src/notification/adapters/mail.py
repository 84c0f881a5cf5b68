"""The e-mail channel: mail-routing takes it over."""

from collections.abc import Mapping
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from typing import Final

import rpc
from errors import Transient, Unauthenticated
from rossio.mail.v1 import events_pb2, service_pb2
from rossio.mail.v1.service_pb2_grpc import MailServiceStub

from notification.domain.texts import Message
from notification.domain.vocabulary import Topic

_CLASSES: Final[Mapping[Topic, events_pb2.MessageClass.ValueType]] = {
    Topic.PRESCRIPTION: events_pb2.MESSAGE_CLASS_URGENT,
    Topic.NEWS: events_pb2.MESSAGE_CLASS_BULK,
}


class MailRouting:
    """Submits mails; the same key is the same mail."""

    name = "mail-routing"

    def __init__(self, stub: MailServiceStub, sender: str) -> None:
        self._stub = stub
        self._sender = sender

    async def submit(self, message: Message, *, key: str, notification_id: str, topic: Topic) -> str:
        request = service_pb2.SubmitRequest(
            request_id=key,
            sender=self._sender,
            recipients=[message.to],
            content=as_rfc5322(message, sender=self._sender, notification_id=notification_id, topic=topic),
        )
        setattr(request, "class", _CLASSES.get(topic, events_pb2.MESSAGE_CLASS_NORMAL))
        try:
            with rpc.typed_errors():
                return (await self._stub.Submit(request)).message_id
        except Unauthenticated as error:
            raise Transient("our token is none that mail-routing takes", reason="TOKEN_REFUSED") from error


def as_rfc5322(message: Message, *, sender: str, notification_id: str, topic: Topic) -> bytes:
    """The mail on the wire; it says that a machine wrote it, so that no machine answers (RFC 3834)."""
    mail = EmailMessage(policy=SMTP if message.to.isascii() else SMTPUTF8)
    mail["From"] = Address("Rossio", addr_spec=sender)
    mail["To"] = _address(message.to)
    mail["Subject"] = " ".join(message.subject.split())
    mail["Message-ID"] = f"<{notification_id}@{sender.rpartition('@')[2]}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail["Rossio-Topic"] = topic.value
    mail.set_content(message.text)
    return mail.as_bytes()


def _address(address: str) -> Address:
    """The library takes an address with non-ASCII characters (RFC 6531) in its parts only."""
    if address.isascii():
        return Address(addr_spec=address)
    local, _, domain = address.rpartition("@")
    return Address(username=local, domain=domain)
