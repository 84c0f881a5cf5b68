"""What clients were told of their mails, and where each of these mails is in the end."""

import itertools
import os
import random
import re
import smtplib
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path

from .conftest import (  # type: ignore[import-not-found]  # "mail-routing" is no module name
    CROWD,
    PEOPLE,
    TRUSTED,
    Mail,
    Sink,
    address,
    marker,
)

MIXES = (
    [address("mr-rui")],
    ["mr-team@mr-a.test", address("mr-rui")],
    [address("mr-eva"), "yes@sink.test"],
    ["no@sink.test", address("mr-nuno")],
    ["yes@sink.test", "later@sink.test"],
    [address("mr-nuno"), "x@drop.test"],
)
EVERYBODY = "everybody@mr-c.test"
WHERE = {
    "mr-team@mr-a.test": ["mr-rui", "mr-eva"],
    EVERYBODY: [f"mr-c{n}" for n in range(CROWD)],
    **{address(person): [person] for person in PEOPLE},
    **{f"mr-c{n}@mr-c.test": [f"mr-c{n}"] for n in range(CROWD)},
}
"""The people whose mailboxes an address leads to."""
_MARK = re.compile(rb"X-Mark: (\w+)")


def mixes() -> Iterator[list[str]]:
    """Recipients of mails without end: the small cases in turn, and after each round one of up to fifty."""
    chance = random.Random(7)
    for round_ in itertools.count():
        yield from MIXES
        many = chance.randint(1, 50)
        inside = chance.sample(range(CROWD), many // 5)
        yield [f"mr-c{n}@mr-c.test" for n in inside] + [
            f"far-{round_}-{n}@sink.test" for n in range(many - len(inside))
        ]


def people(to: list[str]) -> set[str]:
    return {person for one in to for person in WHERE.get(one, [])}


def relayed(to: list[str]) -> set[str]:
    return {one for one in to if one.endswith("@sink.test") and one != "no@sink.test"}


def content(mark: bytes, *, poison: bool = False) -> bytes:
    return b"From: ana\r\nX-Mark: " + mark + (b"\r\nX-Poison: yes" if poison else b"") + b"\r\n\r\nhello\r\n"


@dataclass
class Ledger:
    """What the clients were told: marks of mails by the list of their recipients."""

    taken: dict[bytes, list[str]] = field(default_factory=dict)
    ids: dict[bytes, str] = field(default_factory=dict)
    in_doubt: dict[bytes, list[str]] = field(default_factory=dict)
    poison: set[bytes] = field(default_factory=set)
    servers_die: bool = False
    """Broker and store are being killed: a mail may be refused for now, and only then."""

    def send(self, mail: Mail, to: list[str], *, poison: bool = False) -> None:
        mark = marker()
        self.in_doubt[mark] = to
        with suppress(smtplib.SMTPException, OSError), closing(mail.client(TRUSTED)) as client:
            client.ehlo()
            client.mail(address("mr-ana"))
            for one in to:
                client.rcpt(one)
            code, text = client.data(content(mark, poison=poison))
            if code == 451 and self.servers_die:  # nothing was confirmed in time: it may be there, or not
                return
            assert code == 250
            self.taken[mark] = self.in_doubt.pop(mark)
            self.ids[mark] = text.decode().rpartition(" ")[2]
            if poison:
                self.poison.add(mark)


@dataclass
class Ends:
    """Where the mails are: mailboxes and recipients at the next hop, by mark."""

    boxes: dict[bytes, Counter[str]]
    sink: dict[bytes, Counter[str]]
    _known: dict[str, bytes]

    def __init__(self) -> None:
        self.boxes, self.sink, self._known = defaultdict(Counter), defaultdict(Counter), {}
        self._seen_at_sink = 0

    def look(self, mail: Mail, sink: Sink) -> None:
        """Take in what has come since; all octets of a mail are as they were sent, below the fields of our hop."""
        for box in mail.maildirs.glob("*/*/new"):
            for entry in os.scandir(box):
                if entry.path not in self._known:
                    mark = self._mark(Path(entry.path).read_bytes())
                    self._known[entry.path] = mark
                    self.boxes[mark][box.parent.name] += 1
        for _, recipients, letter in sink.mails[self._seen_at_sink :]:
            self._seen_at_sink += 1
            self.sink[self._mark(letter)].update(recipients)

    @staticmethod
    def _mark(letter: bytes) -> bytes:
        found = _MARK.search(letter)
        assert found is not None, letter
        report = b"multipart/report" in letter
        whole = content(found[1], poison=b"X-Poison" in letter)
        assert report or letter.endswith(whole), letter
        return found[1]

    def complete(self, mark: bytes, to: list[str]) -> bool:
        boxes, sink = self.boxes[mark], self.sink[mark]
        reported = boxes["mr-ana"] or "no@sink.test" not in to
        return bool(reported) and people(to) <= boxes.keys() and relayed(to) <= sink.keys()

    def check(self, ledger: Ledger) -> int:
        """That each mailbox has once what it should have; returns how often mails were relayed again."""
        for mark, to in ledger.taken.items():
            boxes = self.boxes[mark]
            assert max((boxes[one] for one in people(to)), default=1) == 1, to
            assert boxes["mr-ana"] == ("no@sink.test" in to), to
        twice = 0
        for mark, to in (ledger.taken | ledger.in_doubt).items():
            boxes, sink = self.boxes[mark], self.sink[mark]
            twice += max(sink.values(), default=1) - 1
            assert "no@sink.test" not in sink
            assert boxes["mr-ana"] <= 1
            if mark in ledger.in_doubt and people(to):
                assert {boxes[one] for one in people(to)} in ({0}, {1}), "whole or not at all, and never twice"
        return twice
