"""What a hundred thousand mails for a dead site cost the others: their rate with and without, and the memory.

They come in by SMTP like all others, find their site dead and wait; then all of them are made due at once, which is
the worst that a queue can be. `BACKLOG=20000` is another number of them; a hundred thousand take minutes to come in.
The site of the others is there all the time: one that leaves has mail deferred, and is left alone for a while itself.
"""

import asyncio
import os
import shutil
import statistics
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import store
from devstack.program import free_port
from store import Change

from tests.bench.mail_peer import Ours, Shape, Sink, hand_in

BACKLOG = int(os.environ.get("BACKLOG", "100000"))
ROUNDS = 9
_PART = 5000
_BATCH = 1000
_STALLED_SECONDS = 300.0
_LIVE = Shape("others", 1024, 2000)
_NEVER_ENDS = 100_000_000


def fill(ours: Ours) -> None:
    """Hands the backlog in, part by part, and waits until the worker has put each of them off."""
    taken = ours.worker.metric(RECORDED)
    began = time.monotonic()
    for there in range(0, BACKLOG, _PART):
        part = min(_PART, BACKLOG - there)
        hand_in(ours, Shape("backlog", 600, part), "x@dead.test")
        ours.worker.wait_for(RECORDED, taken + there + part, _STALLED_SECONDS)
        _tell(f"{there + part:,} of {BACKLOG:,} wait for a dead site after {time.monotonic() - began:.0f} s")


RECORDED = 'rossio_mail_recipients_total{lane="normal"}'
DELIVERED = 'rossio_mail_outcomes_total{lane="normal",outcome="delivered"}'


async def make_due(environment: dict[str, str]) -> int:
    """Of all that waits, now; how many that are."""
    database = store.connect(environment["MONGODB_URI"], environment["MONGODB_DATABASE"])
    deliveries = database.collection("deliveries")
    some = {"due": {"$gt": datetime.fromtimestamp(0, UTC)}}
    waiting = [found["_id"] async for found in deliveries.find(some, projection={"_id": True})]
    past: dict[str, dict[str, Any]] = {
        "$set": {"due": datetime.now(UTC) - timedelta(minutes=1)},
        "$inc": {"version": 0},
    }
    for start in range(0, len(waiting), _BATCH):
        await deliveries.bulk([Change(one, past) for one in waiting[start : start + _BATCH]])
    await database.close()
    _tell(f"{len(waiting):,} are due")
    return len(waiting)


def _tell(progress: str) -> None:
    print(f"  {progress}", file=sys.stderr, flush=True)


def rate(ours: Ours) -> float:
    rates = [_LIVE.mails / load(ours) for _ in range(ROUNDS)]
    _tell("mails/s of the others: " + ", ".join(f"{each:,.0f}" for each in rates))
    return statistics.median(rates)


def load(ours: Ours) -> float:
    """Seconds until all mails of a round are with the next hop."""
    delivered, began = ours.worker.metric(DELIVERED), time.monotonic()
    hand_in(ours, _LIVE, "x@sink.test")
    ours.worker.wait_for(DELIVERED, delivered + _LIVE.mails, _STALLED_SECONDS)
    return time.monotonic() - began


def measure() -> list[dict[str, Any]]:
    port, folder = free_port(), Path(tempfile.mkdtemp(prefix="bench-backlog-"))
    folder.chmod(0o755)
    sink = Sink(folder, port, _NEVER_ENDS)
    sink.start()
    try:
        with Ours(folder / "ours", port) as ours:
            load(ours)  # warms up
            alone, before = rate(ours), _megabytes(ours.worker.pid)
            fill(ours)
            count = asyncio.run(make_due(ours.worker.environment()))
            beside, after = rate(ours), _megabytes(ours.worker.pid)
    finally:
        sink.kill()
        shutil.rmtree(folder, ignore_errors=True)
    note = f"{count:,} due at once for a dead site; peer: without them; load {os.getloadavg()[0]:.1f}"
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
