"""What moderators read of a mail that waits for them, in Portuguese and English; nothing of what it says itself."""

import quopri
from collections.abc import Sequence
from email.utils import format_datetime

from mail_routing.domain import moderation
from mail_routing.domain.delivery import Delivery, Shard
from mail_routing.domain.message import Message, MessageClass, Origin, Recipient
from mail_routing.domain.route import Kind

_TEXT = """\
Um mail de <{sender}>{unproven_in_portuguese} para {what} espera por um moderador, até {until}.
Depois disso não é entregue, e quem o enviou fica a saber.

A mail from <{sender}>{unproven} to {what_in_english} waits for a moderator, until {until}.
After that it is not delivered, and its sender is told so.

  rossio mail moderation show {id}
  rossio mail moderation approve {id}
  rossio mail moderation reject {id} --reason "..."
"""


def asking(shard: Shard, waiting: Delivery, to: Sequence[str], hostname: str) -> Message:
    """The notice to the addresses `to`, each of which gets it once.

    Its id follows from what is decided about, so that the parts of a large mail are asked about together, and a
    repeat is the same notice.
    """
    message, wanted = shard.message, moderation.moderation_id(shard, waiting.destination)
    notice_id = f"{wanted.replace(':', '.')}.moderation"
    at, named = waiting.at or message.accepted_at, f"{notice_id}@{hostname}"
    text = _TEXT.format(
        sender=message.sender,
        unproven_in_portuguese="" if message.origin.trusted else " (remetente por confirmar)",
        unproven="" if message.origin.trusted else " (nobody has confirmed that it is)",
        what=_what(waiting, "a lista", "destinatários que uma regra retém"),
        what_in_english=_what(waiting, "the list", "recipients that a rule holds back"),
        until=f"{waiting.until:%Y-%m-%d %H:%M} UTC",
        id=wanted,
    )
    top = (
        f"From: postmaster@{hostname}\r\n"
        "To: moderators:;\r\n"
        "Subject: =?utf-8?q?Mail_=C3=A0_espera_de_modera=C3=A7=C3=A3o?= / Mail waiting for moderation\r\n"
        f"Date: {format_datetime(at)}\r\n"
        f"Message-ID: <{named}>\r\n"
        "Auto-Submitted: auto-generated\r\n"
        "MIME-Version: 1.0\r\n"
        "Content-Type: text/plain; charset=utf-8\r\n"
        "Content-Transfer-Encoding: quoted-printable\r\n\r\n"
    )
    made = top.encode() + quopri.encodestring(text.encode()).replace(b"\n", b"\r\n")
    return Message(
        message_id=notice_id,
        entity_id=moderation.panel(shard, waiting.destination).entity_id,
        sender="",
        recipients=tuple(Recipient(address, notify=("NEVER",)) for address in to),
        content=made,
        size=len(made),
        message_class=MessageClass.NORMAL,
        accepted_at=at,
        origin=Origin.DSN,
        internet_message_id=named,
    )


def _what(waiting: Delivery, the_list: str, ruled: str) -> str:
    return f"{the_list} <{waiting.destination.address}>" if waiting.destination.kind is Kind.LIST else ruled
