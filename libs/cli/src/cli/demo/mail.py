"""A mail over SMTP from one entity to a nested list of another, into each member's Maildir."""

import asyncio
import re
import smtplib
from email import message_from_bytes
from pathlib import Path

import rpc
import telemetry
from errors import NotFound
from rossio.mail.v1 import events_pb2, service_pb2

from cli.client import Client
from cli.demo.stage import Shown, Stage, check, until
from cli.mail import compose

SUBJECT = "Escalas de dezembro"
BODY = "Seguem as escalas de dezembro. Bom trabalho a todos.\n"
SMTP_TIMEOUT_SECONDS = 30
ACCEPTED = 250


async def mail(stage: Stage) -> Shown:
    sender, group = stage.cast.person("e01", "news.editor"), stage.cast.nested_list("e03")
    client = await stage.client(sender)
    address = group.addresses[0]
    resolved = await client.mail.Resolve(service_pb2.ResolveRequest(sender=sender.addresses[0], recipient=address))
    expected = {person.addresses[0] for person in stage.cast.members(group).values()}
    shown = {to.address for to in resolved.destinations}  # the first thousand of them
    check(
        shown <= expected and resolved.destination_count == len(expected),
        f"{address} resolves to its {len(expected)} members",
    )
    content = compose(sender.addresses[0], [address], SUBJECT, BODY)
    message_id = await asyncio.to_thread(hand_over, stage.stack.smtp, sender.addresses[0], address, content)
    outcomes = await until("every member is served", lambda: _served(client, message_id, expected))
    check(len(outcomes) == len(expected), "every member has one outcome")
    nested = sum(step.kind == "list" for step in resolved.steps)
    lines = [
        f"{sender.addresses[0]} (e01) -> {address} (e03), a list of {nested} nested lists",
        f"accepted over SMTP as {message_id}, delivered to its {len(outcomes)} members",
    ]
    if not stage.stack.maildirs:
        return Shown(lines, telemetry.current_traceparent().split("-")[1])
    copies = _copies(Path(stage.stack.maildirs), content)
    check(len(copies) == len(expected), f"{len(expected)} mailboxes hold the mail, found {len(copies)}")
    received = copies[0].read_bytes()
    check(_after_headers(content) in received, "the body is what was sent, byte for byte")
    return Shown([*lines, f"in {len(copies)} Maildirs, the body byte for byte"], trace_of(received))


def hand_over(smtp: str, sender: str, recipient: str, content: bytes) -> str:
    """Sends a mail as any SMTP client would; returns the message id that stands in the 250."""
    host, _, port = smtp.rpartition(":")
    with smtplib.SMTP(host, int(port), timeout=SMTP_TIMEOUT_SECONDS) as client:
        client.ehlo_or_helo_if_needed()
        replies = [client.mail(sender), client.rcpt(recipient), client.data(content)]
    for code, text in replies:
        check(code == ACCEPTED, f"the server said {code} {text.decode()}")
    return replies[-1][1].split()[-1].decode()


async def _served(client: Client, message_id: str, expected: set[str]) -> list[events_pb2.Outcome] | None:
    """What became of the mail, once everybody has it."""
    request = service_pb2.TraceRequest(message_id=message_id)
    try:
        with rpc.typed_errors():
            outcomes = [outcome async for found in client.mail.Trace(request) for outcome in found.outcomes]
    except NotFound:
        return None  # accepted, and not taken up yet
    delivered = {o.address for o in outcomes if o.state == events_pb2.DELIVERY_STATE_DELIVERED}
    return outcomes if delivered == expected else None


def _copies(maildirs: Path, content: bytes) -> list[Path]:
    marker = message_from_bytes(content)["Message-ID"].strip().encode()
    return [path for path in maildirs.glob("**/new/*") if marker in path.read_bytes()]


def _after_headers(content: bytes) -> bytes:
    return content.partition(b"\r\n\r\n")[2]


def trace_of(received: bytes) -> str:
    """The trace id that the router notes in the headers that it adds."""
    found = re.search(rb"traceparent[:=] ?00-([0-9a-f]{32})-", received)
    return found.group(1).decode() if found else ""
