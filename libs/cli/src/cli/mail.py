"""`rossio mail`: send, resolve, trace; what else there is stands in the modules beside it."""

from collections.abc import Iterator
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from pathlib import Path
from typing import Annotated
from uuid import uuid4

import typer
from errors import Invalid
from rossio.directory.v1 import service_pb2 as directory_pb2
from rossio.mail.v1 import events_pb2, service_pb2

from cli import mail_access, mail_moderation, mail_queue, mail_rules
from cli.client import connect
from cli.command import As, console, note, shown, sync, table, tell

app = typer.Typer(no_args_is_help=True, help="Send a mail, ask where one would go, see where one went.")
app.add_typer(mail_queue.app, name="queue")
app.add_typer(mail_moderation.app, name="moderation")
app.add_typer(mail_access.password, name="password")
app.add_typer(mail_access.delegate, name="delegate")
app.add_typer(mail_rules.rules, name="rules")
app.add_typer(mail_rules.quarantine, name="quarantine")


@app.command()
@sync
async def send(
    to: Annotated[list[str], typer.Argument(help="Addresses of people or lists.")],
    subject: Annotated[str, typer.Option()] = "",
    body: Annotated[str, typer.Option()] = "",
    file: Annotated[
        Path | None,
        typer.Option(help="A whole message (RFC 5322) instead of subject and body.", exists=True, dir_okay=False),
    ] = None,
    caller: As = None,
) -> None:
    """Sends a mail from the caller."""
    async with connect(caller) as client:
        me = (await client.directory.WhoAmI(directory_pb2.WhoAmIRequest())).person
        sender = me.addresses[0]
        content = with_crlf(file.read_bytes()) if file else compose(sender, to, subject, body)
        answer = await client.mail.Submit(
            service_pb2.SubmitRequest(request_id=str(uuid4()), sender=sender, recipients=to, content=content)
        )
    console.print(f"accepted as {answer.message_id}")


def compose(sender: str, to: list[str], subject: str, body: str) -> bytes:
    """A plain message with CRLF line ends."""
    message = EmailMessage()
    try:
        message["From"], message["To"], message["Subject"] = sender, ", ".join(to), subject
    except ValueError as error:  # a line end, with which a field would bring others along
        raise Invalid(f"no mail can be made of that: {error}") from None
    message["Date"], message["Message-ID"] = formatdate(localtime=True), make_msgid(domain=sender.rpartition("@")[2])
    message.set_content(body)
    return with_crlf(message.as_bytes())


def with_crlf(content: bytes) -> bytes:
    """The line ends that SMTP asks for; a file of this machine rarely has them."""
    return content.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


@app.command()
@sync
async def resolve(
    recipient: Annotated[str, typer.Argument(help="The address that a mail would be sent to.")],
    sender: Annotated[str, typer.Option(help="The address that it would come from.")] = "",
    outside: Annotated[
        bool,
        typer.Option(
            "--outside",
            help="It comes from a server that is not trusted, as from senders of other domains in any case.",
        ),
    ] = False,
    limit: Annotated[int, typer.Option(min=0, max=1000, help="Shows so many destinations.")] = 20,
    file: Annotated[
        Path | None,
        typer.Option(help="The mail (RFC 5322), for rules that look into it.", exists=True, dir_okay=False),
    ] = None,
    rule: Annotated[
        Path | None,
        typer.Option(help="A rule as JSON that is not in force, asked as if it were.", exists=True, dir_okay=False),
    ] = None,
    caller: As = None,
) -> None:
    """Explains where a mail would go and why, step by step, transport rules among them for mail administrators."""
    content = with_crlf(file.read_bytes()) if file else b""
    request = service_pb2.ResolveRequest(sender=sender, recipient=recipient, content=content, outside=outside)
    if rule:
        request.draft.CopyFrom(mail_rules.read_rule(rule))
    async with connect(caller) as client:
        answer = await client.mail.Resolve(request)
    table(("step", "of", "result"), ((step.kind, step.subject, step.result) for step in answer.steps))
    table(("to", "by", "target"), ((to.address, to.kind, to.target) for to in answer.destinations[:limit]))
    left = answer.destination_count - min(limit, len(answer.destinations))
    note(f"{answer.destination_count} destination(s)" + (f", {left} of them not shown" if left else ""))


@app.command()
@sync
async def trace(
    message_id: Annotated[
        str,
        typer.Option(
            "--message-id",
            "--message",
            help="By the id that Submit or the 250 gave, or by the Message-ID field of the mail: with < > or @.",
        ),
    ] = "",
    sender: Annotated[str, typer.Option()] = "",
    recipient: Annotated[str, typer.Option(help="Of a person, or of a list that it was sent to.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most so many mails.")] = 20,
    caller: As = None,
) -> None:
    """Shows what became of mails, newest first, each attempt at each recipient."""
    if not (message_id or sender or recipient):
        raise Invalid("say which mail: --message-id, --sender or --recipient")
    request = service_pb2.TraceRequest(sender=sender, recipient=recipient, limit=limit)
    if any(each in message_id for each in "<>@"):
        request.internet_message_id = message_id
    else:
        request.message_id = message_id
    async with connect(caller) as client:
        async for found in client.mail.Trace(request):
            came = f"{found.message_id} from <{found.sender}> {found.accepted_at.ToJsonString()}"
            console.print(shown(came), style="bold")
            if found.internet_message_id:
                tell(f"  Message-ID: <{shown(found.internet_message_id)}>")
            table(
                ("at", "to", "by", "attempt", "state", "status", "reply", "written to"),
                (row for outcome in found.outcomes for row in _attempts(outcome)),
            )
            for decision in found.decisions:
                tell(shown(f"  rule {decision.name!r} ({decision.scope or 'ministry'}): {decision.actions}"))


def _attempts(outcome: events_pb2.Outcome) -> Iterator[tuple[object, ...]]:
    """A line for each attempt that is known; one for what has had none yet."""
    if not outcome.history:
        yield "-", outcome.address, "-", 0, _state(outcome.state), outcome.status, outcome.reply, outcome.original
    number = outcome.attempts - sum(not each.decided_by for each in outcome.history)
    for attempt in outcome.history:
        number += not attempt.decided_by
        at, by = attempt.at.ToJsonString(), attempt.decided_by or attempt.target
        count = "-" if attempt.decided_by else max(number, 1)
        said = _state(attempt.state), attempt.status, attempt.reply
        yield at, outcome.address, by, count, *said, outcome.original


def _state(state: events_pb2.DeliveryState.ValueType) -> str:
    return events_pb2.DeliveryState.Name(state).removeprefix("DELIVERY_STATE_").lower()
