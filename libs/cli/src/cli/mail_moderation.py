"""`rossio mail moderation`: mail that waits for moderators, listed, shown, approved or rejected."""

import sys
from typing import Annotated
from uuid import uuid4

import typer
from rossio.mail.v1 import moderation_pb2

from cli.client import connect, pages
from cli.command import As, note, sync, table, tell

app = typer.Typer(no_args_is_help=True, help="List, show, approve or reject mail that waits for moderators.")
Id = Annotated[str, typer.Argument(help="As `list` and the notice show it.")]


@app.command("list")
@sync
async def list_(limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 100, caller: As = None) -> None:
    """Shows what waits for the caller as a moderator, or in the entity for its mail administrators."""
    rows: list[tuple[object, ...]] = []
    async with connect(caller) as client:
        request = moderation_pb2.ListModeratedRequest(page_size=min(limit, 1000))
        async for page in pages(client.mail_moderation.ListModerated, request):
            rows += map(_row, page.mails)
            if len(rows) >= limit:
                break
    table(("id", "from", "for", "since", "until", "octets", "recipients"), rows[:limit])
    note(f"{len(rows[:limit])} shown")


def _row(mail: moderation_pb2.ModeratedMail) -> tuple[object, ...]:
    since, until = mail.accepted_at.ToJsonString(), mail.expires_at.ToJsonString()
    return mail.moderation_id, mail.sender, mail.waits_for, since, until, mail.size, mail.recipients


@app.command()
@sync
async def show(moderation_id: Id, caller: As = None) -> None:
    """Prints the mail itself, to a program octet by octet; each look is audited."""
    async with connect(caller) as client:
        request = moderation_pb2.GetModeratedRequest(moderation_id=moderation_id)
        answer = await client.mail_moderation.GetModerated(request)
    if sys.stdout.isatty():
        tell(answer.content.decode("utf-8", "replace"))
    else:
        sys.stdout.buffer.write(answer.content)


@app.command()
@sync
async def approve(
    moderation_id: Id,
    reason: Annotated[str, typer.Option(help="It stands in the audit and the trace.")] = "",
    caller: As = None,
) -> None:
    """Lets a mail go on to its recipients."""
    request = moderation_pb2.ApproveModeratedRequest(
        request_id=str(uuid4()), moderation_id=moderation_id, reason=reason
    )
    async with connect(caller) as client:
        await client.mail_moderation.ApproveModerated(request)


@app.command()
@sync
async def reject(
    moderation_id: Id,
    reason: Annotated[str, typer.Option(help="The sender reads it; it stands in the audit and the trace.")] = "",
    caller: As = None,
) -> None:
    """Gives a mail up: nobody gets it, and its sender is told so."""
    request = moderation_pb2.RejectModeratedRequest(request_id=str(uuid4()), moderation_id=moderation_id, reason=reason)
    async with connect(caller) as client:
        await client.mail_moderation.RejectModerated(request)
