"""What a hundred thousand mails for a dead site cost the others: their rate with and without, and the memory.

All of them are due at once, which is the worst that a queue can be.
"""

import asyncio
import os
import shutil
import statistics
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import store
from devstack.program import free_port
from mail_routing.adapters.documents import shard_document
from mail_routing.domain.delivery import Delivery, Shard
from mail_routing.domain.message import Message, MessageClass, Origin
from mail_routing.domain.route import Destination, Kind
from store import Insert

from tests.bench.mail_peer import Ours, Shape, load

BACKLOG = int(os.environ.get("BACKLOG", "100000"))
DEAD = "127.0.0.1:1"
ROUNDS = 5
_BATCH = 1000
_LIVE = Shape("others", 1024, 1000)


def backlog(count: int) -> Iterator[Insert]:
    """Mails that came in an hour ago, each of which waits for the dead site."""
    at = datetime.now(UTC).replace(microsecond=0)
    content = b"Subject: waits\r\n\r\n" + b"x" * 500
    for number in range(count):
        message = Message(
            message_id=f"backlog-{number}",
            entity_id="e",
            sender="p@ours.test",
            recipients=(),
            content=content,
            size=len(content),
            message_class=MessageClass.NORMAL,
            accepted_at=at - timedelta(hours=1),
            origin=Origin.GRPC,
        )
        to = Destination(Kind.RELAY, f"x{number}@dead.test", DEAD, f"x{number}@dead.test")
        yield Insert(shard_document(Shard(message, 0, (Delivery(to, attempts=1),), at - timedelta(minutes=1))))


async def fill(environment: dict[str, str]) -> None:
    database = store.connect(environment["MONGODB_URI"], environment["MONGODB_DATABASE"])
    deliveries = database.collection("deliveries")
    inserts = list(backlog(BACKLOG))
    for start in range(0, len(inserts), _BATCH):
        await deliveries.bulk(inserts[start : start + _BATCH])
    await database.close()


def rate(ours: Ours, sink: int, folder: Path) -> float:
    return statistics.median(_LIVE.mails / load(ours, _LIVE, sink, folder).seconds for _ in range(ROUNDS))


def measure() -> list[dict[str, Any]]:
    sink, folder = free_port(), Path(tempfile.mkdtemp(prefix="bench-backlog-"))
    folder.chmod(0o755)
    try:
        with Ours(folder / "ours", sink) as ours:
            load(ours, _LIVE, sink, folder)  # warms up
            alone, before = rate(ours, sink, folder), _megabytes(ours.worker.pid)
            asyncio.run(fill(ours.worker.environment()))
            beside, after = rate(ours, sink, folder), _megabytes(ours.worker.pid)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    note = f"{BACKLOG:,} due at once for a dead site; peer: without them; load {os.getloadavg()[0]:.1f}"
    return [
        _row("rate of the others", beside, alone, "mails/s", ">= 0.9", note),
        _row("memory of the worker", after, before, "MB", "flat", note),
    ]


def _row(metric: str, ours: float, peer: float, unit: str, aim: str, note: str) -> dict[str, Any]:
    return {"metric": metric, "ours": ours, "peer": peer, "ratio": ours / peer, "unit": unit, "aim": aim, "note": note}


def _megabytes(pid: int | None) -> float:
    """Resident memory."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:")) / 1024
