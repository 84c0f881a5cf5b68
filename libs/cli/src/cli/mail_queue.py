"""`rossio mail queue`: mail that waits, listed, held, released, tried now or dropped."""

from collections.abc import AsyncIterator
from typing import Annotated
from uuid import uuid4

import typer
from rossio.mail.v1 import events_pb2, queue_pb2

from cli.client import Client, connect, pages
from cli.command import As, note, sync, table

app = typer.Typer(no_args_is_help=True, help="List, hold, release, retry or drop mail that waits.")
Ids = Annotated[list[str] | None, typer.Argument(help="Ids that `list` shows; none: all that the options choose.")]
Site = Annotated[str, typer.Option(help="A destination site as `list` shows it, for example mx:example.org.")]
Sender = Annotated[str, typer.Option(help='The address it is from; "<>": what bounces are from.')]
Class = Annotated[str, typer.Option("--class", help="urgent, normal or bulk.")]
Held = Annotated[bool, typer.Option("--held", help="Only what is held.")]
Reason = Annotated[str, typer.Option(help="Why; it stands in the audit.")]


@app.command("list")
@sync
async def list_(
    site: Site = "",
    sender: Sender = "",
    kind: Class = "",
    held: Held = False,
    limit: Annotated[int, typer.Option(help="At most so many entries.")] = 100,
    caller: As = None,
) -> None:
    """Lists what waits, oldest first."""
    rows: list[tuple[object, ...]] = []
    async with connect(caller) as client:
        async for entry in _entries(client, _filter(site, sender, kind, held=held)):
            rows.append(_row(entry))
            if len(rows) >= limit:
                break
    table(("id", "since", "next", "class", "waiting", "attempts", "sites", "last", "from", "octets", "to"), rows)
    note(f"{len(rows)} shown")


def _changes(action: queue_pb2.QueueAction.ValueType, about: str) -> None:
    """Adds the command that makes one kind of change."""

    @app.command(queue_pb2.QueueAction.Name(action).removeprefix("QUEUE_ACTION_").lower(), help=about)
    @sync
    async def change(
        reason: Reason,
        ids: Ids = None,
        site: Site = "",
        sender: Sender = "",
        kind: Class = "",
        held: Held = False,
        caller: As = None,
    ) -> None:
        await _change(caller, action, ids, _filter(site, sender, kind, held=held), reason)


_changes(queue_pb2.QUEUE_ACTION_HOLD, "Makes no attempt until it is released.")
_changes(queue_pb2.QUEUE_ACTION_RELEASE, "Ends the hold, and tries at once.")
_changes(queue_pb2.QUEUE_ACTION_RETRY, "Tries at once.")
_changes(queue_pb2.QUEUE_ACTION_DROP, "Gives up what waits; the senders are not told.")


async def _entries(client: Client, wanted: queue_pb2.QueueFilter) -> AsyncIterator[queue_pb2.QueueEntry]:
    async for page in pages(client.mail_queue.ListQueue, queue_pb2.ListQueueRequest(filter=wanted)):
        for entry in page.entries:
            yield entry


async def _change(
    caller: str | None,
    action: queue_pb2.QueueAction.ValueType,
    ids: list[str] | None,
    wanted: queue_pb2.QueueFilter,
    reason: str,
) -> None:
    changed = unchanged = 0
    async with connect(caller) as client:
        while True:
            request = queue_pb2.ChangeQueueRequest(
                request_id=str(uuid4()), action=action, queue_ids=ids or (), filter=wanted, reason=reason
            )
            answer = await client.mail_queue.ChangeQueue(request)
            changed += answer.changed
            unchanged += answer.unchanged
            if not (answer.more and answer.changed):
                break
    table(("changed", "unchanged"), [(changed, unchanged)])
    if unchanged:
        note("unchanged: in hand, gone, of another entity, or so already")


def _filter(site: str, sender: str, kind: str, *, held: bool) -> queue_pb2.QueueFilter:
    wanted = queue_pb2.QueueFilter(site=site, sender=sender, held=held)
    if kind:
        try:
            chosen = events_pb2.MessageClass.Value(f"MESSAGE_CLASS_{kind.upper()}")
        except ValueError:
            raise typer.BadParameter("a class is urgent, normal or bulk") from None
        setattr(wanted, "class", chosen)  # a word of Python's own
    return wanted


def _row(entry: queue_pb2.QueueEntry) -> tuple[object, ...]:
    kind = events_pb2.MessageClass.Name(getattr(entry, "class")).removeprefix("MESSAGE_CLASS_").lower()
    due = "held" if entry.held else entry.due_at.ToJsonString()
    sites = ", ".join(entry.sites[:3]) + (" ..." if len(entry.sites) > 3 else "")
    last = f"{entry.status} {entry.reply}"
    to = ", ".join(entry.recipients) + (" ..." if entry.waiting > len(entry.recipients) else "")
    waits = entry.queue_id, entry.accepted_at.ToJsonString(), due, kind, entry.waiting, entry.attempts, sites, last
    return *waits, f"<{entry.sender}>", entry.size, to
