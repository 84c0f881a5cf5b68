"""How long an urgent mail takes while a bulk of 126,683 waits, beside what it takes without one.

So many wait in two ways: as one mail to everybody in the ministry, which is cut into shards, and as that many mails on
the stream of their class, which came in while the worker was away. Urgent mails are handed in one after the other all
the while, each timed from its 250 to the mailbox. `BULK=5000` is another size; the whole takes some minutes.
"""

import os
import shutil
import smtplib
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from devstack.program import LOOPBACK, free_port

from tests.bench.mail_peer import EVERYBODY, Ours, Shape, hand_in

BULK = int(os.environ.get("BULK", "126683"))
_SECONDS = BULK / 4000
"""For which urgent mails are handed in: to deliver the bulk takes longer."""
_LEAST = 20
_PATIENCE_SECONDS = 300.0
_DELIVERED = 'rossio_mail_outcomes_total{lane="bulk",outcome="delivered"}'
_URGENT = b"Rossio-Class: urgent\r\nX-Number: %d\r\n\r\nhello\r\n"
_BULK = "Precedence: bulk\nSubject: news\n\nhello\n"


class Urgent:
    """Urgent mails, one after the other."""

    def __init__(self, ours: Ours) -> None:
        self._ours = ours
        self._sent = 0

    def milliseconds(self, least: float = 0.0) -> list[float]:
        """From each one's 250 to its mailbox, for so many seconds."""
        took: list[float] = []
        began = time.monotonic()
        with smtplib.SMTP(LOOPBACK, self._ours.port, timeout=60) as client:
            while len(took) < _LEAST or time.monotonic() < began + least:
                self._sent += 1
                client.sendmail("p@ours.test", ["p@ours.test"], _URGENT % self._sent)
                taken = time.monotonic()
                while not self._there():
                    assert time.monotonic() < taken + _PATIENCE_SECONDS, "an urgent mail did not leave"
                    time.sleep(0.002)
                took.append((time.monotonic() - taken) * 1000)
        return took

    def _there(self) -> bool:
        return self._ours.mailbox.is_dir() and sum(1 for _ in self._ours.mailbox.iterdir()) >= self._sent


def one_mail(ours: Ours, bulk: Path) -> None:
    hand_in(ours, Shape("bulk", 0, 1), EVERYBODY, bulk)


def many_mails(ours: Ours, bulk: Path) -> None:
    ours.worker.stop()
    hand_in(ours, Shape("bulk", 0, BULK), "c0@crowd.test", bulk)
    ours.worker.start()


def beside(what: str, waits: Callable[[Ours, Path], None], folder: Path) -> dict[str, Any]:
    bulk = folder / "bulk"
    bulk.write_text(_BULK)
    with Ours(folder / waits.__name__, free_port(), crowd=BULK) as ours:
        urgent = Urgent(ours)
        urgent.milliseconds()  # warms up
        alone = urgent.milliseconds()
        waits(ours, bulk)
        began = time.monotonic()
        took = urgent.milliseconds(_SECONDS)
        seconds, left = time.monotonic() - began, BULK - int(ours.worker.metric(_DELIVERED))
    assert left > 0, "the bulk was done before: it held nobody up, and the figure says nothing"
    print(f"  {what}: {left:,} of {BULK:,} still waited after {seconds:.0f} s", file=sys.stderr, flush=True)
    p50, before = statistics.median(took), statistics.median(alone)
    return {
        "metric": f"urgent beside {what}",
        "ours": p50,
        "peer": before,
        "ratio": p50 / before,
        "unit": "ms",
        "aim": "p50 <= 250, max <= 2000",
        "note": f"accept to mailbox, p50 of {len(took)}; max {max(took):,.0f} ms; {left:,} waited still at the end; "
        f"peer: without them, max {max(alone):,.0f} ms; load {os.getloadavg()[0]:.1f}",
    }


def measure() -> list[dict[str, Any]]:
    folder = Path(tempfile.mkdtemp(prefix="bench-urgent-"))
    try:
        return [
            beside(f"one mail to {BULK:,}", one_mail, folder),
            beside(f"{BULK:,} mails", many_mails, folder),
        ]
    finally:
        shutil.rmtree(folder, ignore_errors=True)
