"""Delivery status notifications (RFC 3464): what a sender is told of failures, in Portuguese and English."""

import quopri
from collections.abc import Sequence
from email.utils import format_datetime

from mail_routing.domain import headers
from mail_routing.domain.delivery import Delivery, Shard
from mail_routing.domain.message import Message, MessageClass, Origin, Recipient
from mail_routing.domain.route import Kind

_MOST_IN_WORDS = 50

_TEXT = """\
O seu mail não foi entregue aos destinatários abaixo. Não voltará a ser tentado.

{lines}

Motivo, tal como foi indicado, e cabeçalho do mail: nas partes seguintes.

--

Your mail was not delivered to the recipients above, and will not be tried again.
The reasons as they were given, and the header of the mail, are in the parts that follow.
"""


def failure(shard: Shard, failed: Sequence[Delivery], content: bytes, hostname: str) -> Message | None:
    """The report to the sender that these recipients have failed; None where nobody is to be told.

    The null sender is never told (RFC 5321 section 4.5.5). The report's id follows from the shard and its
    version, so that the same failure makes the same report.
    """
    message = shard.message
    if not failed or not message.sender:
        return None
    report_id = f"{message.message_id}.dsn{shard.number}.{shard.version}"
    at = max(delivery.at or message.accepted_at for delivery in failed)
    boundary = f"=_{report_id}"
    words = "\n".join(f"  <{d.destination.address}>: {d.status} {d.reply}" for d in failed[:_MOST_IN_WORDS])
    if len(failed) > _MOST_IN_WORDS:
        words += f"\n  ... (+{len(failed) - _MOST_IN_WORDS})"
    parts = (
        ("text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable", _text(words)),
        ("message/delivery-status", _status(message, failed, hostname)),
        ("text/rfc822-headers", headers.section(content)),
    )
    body = b"".join(f"--{boundary}\r\nContent-Type: {kind}\r\n\r\n".encode() + part + b"\r\n" for kind, part in parts)
    top = (
        f"From: MAILER-DAEMON@{hostname}\r\n"
        f"To: <{message.sender}>\r\n"
        "Subject: =?utf-8?q?Mail_n=C3=A3o_entregue?= / Undelivered mail\r\n"
        f"Date: {format_datetime(at)}\r\n"
        f"Message-ID: <{report_id}@{hostname}>\r\n"
        "Auto-Submitted: auto-replied\r\n"
        "MIME-Version: 1.0\r\n"
        f'Content-Type: multipart/report; report-type=delivery-status; boundary="{boundary}"\r\n\r\n'
    )
    report = top.encode() + body + f"--{boundary}--\r\n".encode()
    return Message(
        message_id=report_id,
        entity_id=message.entity_id,
        sender="",
        recipients=(Recipient(message.sender, notify=("NEVER",)),),
        content=report,
        size=len(report),
        message_class=MessageClass.NORMAL,
        accepted_at=at,
        origin=Origin.DSN,
        smtputf8=not report.isascii(),
    )


def _text(words: str) -> bytes:
    text = _TEXT.format(lines=words)
    return quopri.encodestring(text.encode()).replace(b"\n", b"\r\n")


def _status(message: Message, failed: Sequence[Delivery], hostname: str) -> bytes:
    lines = [f"Reporting-MTA: dns; {hostname}", f"Arrival-Date: {format_datetime(message.accepted_at)}"]
    if message.envelope_id:
        lines.insert(0, f"Original-Envelope-Id: {_line(message.envelope_id)}")
    for delivery in failed:
        destination = delivery.destination
        lines.append("")
        if destination.original:
            lines.append(f"Original-Recipient: {_typed(destination.original)}")
        lines.append(f"Final-Recipient: {_typed(destination.address)}")
        lines.append("Action: failed")
        # A failure is reported as one, though its last word was a temporary one (RFC 3464 section 2.3.4).
        lines.append(f"Status: {delivery.status}")
        if destination.kind is Kind.RELAY:
            lines.append(f"Remote-MTA: dns; {destination.target.rpartition(':')[0]}")
        lines.append(
            f"Diagnostic-Code: {'smtp' if destination.kind is Kind.RELAY else 'x-rossio'}; {_line(delivery.reply)}"
        )
        if delivery.at:
            lines.append(f"Last-Attempt-Date: {format_datetime(delivery.at)}")
    return ("\r\n".join(lines) + "\r\n").encode()


def _typed(address: str) -> str:
    return f"{'rfc822' if address.isascii() else 'utf-8'}; {_line(address)}"


def _line(text: str) -> str:
    """What another server said, made fit for one header line."""
    return "".join(c if c.isprintable() else " " for c in text)[:900]
