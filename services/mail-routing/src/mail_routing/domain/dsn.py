"""Delivery status notifications (RFC 3464): what a sender is told of recipients, in Portuguese and English."""

import quopri
from collections.abc import Sequence
from dataclasses import dataclass
from email.utils import format_datetime

from mail_routing.domain import headers
from mail_routing.domain.delivery import Action, Delivery, Progress
from mail_routing.domain.message import Message, MessageClass, Origin, Recipient

_MOST_IN_WORDS = 50
_MOST_RETURNED = 5 * 1024 * 1024
Notices = Sequence[tuple[Delivery, Action]]


@dataclass(frozen=True, slots=True)
class Words:
    """What people read of some recipients; the subject is that of the first kind there is."""

    actions: frozenset[Action]
    subject: str
    portuguese: str
    english: str


_WORDS = (
    Words(
        frozenset({Action.FAILED}),
        "=?utf-8?q?Mail_n=C3=A3o_entregue?= / Undelivered mail",
        "O seu mail não foi entregue aos destinatários abaixo. Não voltará a ser tentado.",
        "Your mail was not delivered to these recipients, and will not be tried again.",
    ),
    Words(
        frozenset({Action.DELAYED}),
        "Mail ainda por entregar / Delayed mail",
        "O seu mail ainda não foi entregue aos destinatários abaixo. Continuará a ser tentado, até cinco dias depois "
        "de enviado; não precisa de o enviar de novo.",
        "Your mail has not been delivered to these recipients yet. It will be tried until five days after it was "
        "sent; there is no need to send it again.",
    ),
    Words(
        frozenset({Action.DELIVERED, Action.RELAYED}),
        "Mail entregue / Delivered mail",
        "O seu mail foi entregue aos destinatários abaixo, ou ao servidor deles quando este não dá mais notícia.",
        "Your mail was delivered to these recipients, or to their server where that tells no more.",
    ),
)
_END = """\
O que foi dito, e o cabeçalho ou o mail: nas partes seguintes.
What was said, and the header or the mail, are in the parts that follow.
"""


def report(progress: Progress, content: bytes, hostname: str) -> Message | None:
    """The report that the sender is due after an attempt; None where nobody is to be told.

    The null sender is never told (RFC 5321 section 4.5.5). The report's id follows from the shard and its
    version, so that the same progress makes the same report.
    """
    shard, notices = progress.shard, progress.notices
    message = shard.message
    if not notices or not message.sender:
        return None
    # A moderator may decide before anybody has claimed the shard: at the version of its first attempt.
    decided = "m" if any(delivery.by for delivery, _ in notices) else ""
    report_id = f"{message.message_id}.dsn{shard.number}.{shard.version}{decided}"
    at = max(delivery.at or message.accepted_at for delivery, _ in notices)
    boundary, named = f"=_{report_id}", f"{report_id}@{hostname}"
    subject, words = _words(notices)
    parts = (
        ("text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable", words),
        ("message/delivery-status", _status(message, notices, hostname)),
        _returned(message, notices, content),
    )
    body = b"".join(f"--{boundary}\r\nContent-Type: {kind}\r\n\r\n".encode() + part + b"\r\n" for kind, part in parts)
    top = (
        f"From: MAILER-DAEMON@{hostname}\r\n"
        f"To: <{message.sender}>\r\n"
        f"Subject: {subject}\r\n"
        f"Date: {format_datetime(at)}\r\n"
        f"Message-ID: <{named}>\r\n"
        "Auto-Submitted: auto-replied\r\n"
        "MIME-Version: 1.0\r\n"
        f'Content-Type: multipart/report; report-type=delivery-status; boundary="{boundary}"\r\n\r\n'
    )
    made = top.encode() + body + f"--{boundary}--\r\n".encode()
    return Message(
        message_id=report_id,
        entity_id=message.entity_id,
        sender="",
        recipients=(Recipient(message.sender, notify=("NEVER",)),),
        content=made,
        size=len(made),
        message_class=MessageClass.NORMAL,
        accepted_at=at,
        origin=Origin.DSN,
        internet_message_id=named,
        smtputf8=not made.isascii(),
    )


def _words(notices: Notices) -> tuple[str, bytes]:
    """Subject and text."""
    subject, text = "", ""
    for words in _WORDS:
        some = [delivery for delivery, action in notices if action in words.actions]
        if not some:
            continue
        subject = subject or words.subject
        lines = [f"  <{d.destination.original or d.destination.address}>: {d.status} {d.reply}" for d in some]
        if len(lines) > _MOST_IN_WORDS:
            lines[_MOST_IN_WORDS:] = [f"  ... (+{len(lines) - _MOST_IN_WORDS})"]
        text += "\n".join((words.portuguese, words.english, "", *lines, "", ""))
    return subject, quopri.encodestring((text + _END).encode()).replace(b"\n", b"\r\n")


def _returned(message: Message, notices: Notices, content: bytes) -> tuple[str, bytes]:
    """The mail where that was asked for (RET=FULL) and something failed, else its header section."""
    failed = any(action is Action.FAILED for _, action in notices)
    if failed and message.dsn_return == "FULL" and len(content) <= _MOST_RETURNED:
        return f"message/rfc822\r\nContent-Transfer-Encoding: {'7bit' if content.isascii() else '8bit'}", content
    return "text/rfc822-headers", headers.section(content)


def _status(message: Message, notices: Notices, hostname: str) -> bytes:
    lines = [f"Reporting-MTA: dns; {hostname}", f"Arrival-Date: {format_datetime(message.accepted_at)}"]
    if message.envelope_id:
        lines.insert(0, f"Original-Envelope-Id: {_line(message.envelope_id)}")
    for delivery, action in notices:
        destination = delivery.destination
        lines.append("")
        if destination.original:
            lines.append(f"Original-Recipient: {_typed(destination.original)}")
        lines.append(f"Final-Recipient: {_typed(destination.address)}")
        lines.append(f"Action: {action.value}")
        # A failure is reported as one, though its last word was a temporary one (RFC 3464 section 2.3.4).
        lines.append(f"Status: {delivery.status}")
        if delivery.remote:
            lines.append(f"Remote-MTA: dns; {_line(delivery.remote)}")
        lines.append(f"Diagnostic-Code: {'smtp' if delivery.remote else 'x-rossio'}; {_line(delivery.reply)}")
        if delivery.at:
            lines.append(f"Last-Attempt-Date: {format_datetime(delivery.at)}")
    return ("\r\n".join(lines) + "\r\n").encode()


def _typed(address: str) -> str:
    kind, semicolon, rest = address.partition(";")
    if semicolon and "@" not in kind:  # an original recipient of another kind of address
        return f"{_line(kind)}; {_line(rest)}"
    return f"{'rfc822' if address.isascii() else 'utf-8'}; {_line(address)}"


def _line(text: str) -> str:
    """What another server said, made fit for one header line."""
    return "".join(c if c.isprintable() else " " for c in text)[:900]
