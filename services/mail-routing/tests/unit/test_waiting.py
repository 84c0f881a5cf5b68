"""What administrators do to waiting mail, and how waiting mail is taken up, on a clock of the test's own."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from mail_routing.application.ports import Due
from mail_routing.application.resume import Resume, Round
from mail_routing.domain import queue, retry
from mail_routing.domain.delivery import Delivery, Progress, Shard, State
from mail_routing.domain.message import Message, MessageClass, Origin
from mail_routing.domain.queue import Filter, QueueAction
from mail_routing.domain.route import Destination, Kind

START = datetime(2026, 11, 23, tzinfo=UTC)
LIVE, DEAD = "mx:live.test", "mx:dead.test"


def message(message_id: str = "m", entity: str = "ea") -> Message:
    return Message(message_id, entity, "ana@a.test", (), b"", 0, MessageClass.NORMAL, START, Origin.GRPC)


def shard(*hops: str, message_id: str = "m", **more: Any) -> Shard:
    deliveries = tuple(
        Delivery(Destination(Kind.RELAY, f"x{n}@far.test", hop), attempts=1) for n, hop in enumerate(hops)
    )
    return Shard(message(message_id), 0, deliveries, START, **more)


def test_each_action_acts_on_what_it_is_for() -> None:
    waiting, held = shard(LIVE), shard(LIVE, held=True)
    held = replace(held, due=None)
    done = replace(waiting, deliveries=(replace(waiting.deliveries[0], state=State.DELIVERED),), due=None)
    in_hand = replace(waiting, claimed=True, due=START + timedelta(minutes=10))
    wanted = {
        QueueAction.HOLD: (True, False),
        QueueAction.RELEASE: (False, True),
        QueueAction.RETRY: (True, False),
        QueueAction.DROP: (True, True),
    }
    for action, (on_waiting, on_held) in wanted.items():
        assert bool(queue.changed(waiting, action, START)) is on_waiting, action
        assert bool(queue.changed(held, action, START)) is on_held, action
        assert queue.changed(done, action, START) is None
        assert queue.changed(in_hand, action, START) is None
        dead = replace(in_hand, due=START)  # whoever claimed it has died
        assert bool(queue.changed(dead, action, START)) is on_waiting
    dropped = queue.changed(held, QueueAction.DROP, START)
    assert dropped is not None
    assert [d.state for d in dropped.changed] == [State.DROPPED]
    assert (dropped.shard.due, dropped.shard.waiting, dropped.shard.held) == (None, (), False)


def test_an_entry_is_found_by_its_entity_site_and_state() -> None:
    def found(entry: Shard, scope: str, **wanted: Any) -> bool:
        return set(queue.wanted_keys(scope, Filter(**wanted))) <= set(queue.keys(entry))

    waits, held = shard(LIVE, DEAD), shard(LIVE, held=True)
    sender = waits.message.sender
    for scope in ("", "ea"):
        for site in ("", LIVE, DEAD):
            for named in ("", sender, sender.upper()):
                assert found(waits, scope, site=site, sender=named)
        assert found(held, scope, site=LIVE, held=True)
    assert not found(waits, "eb")
    assert not found(waits, "ea", held=True)
    assert not found(held, "ea", site=DEAD)
    assert not found(waits, "ea", sender="else" + sender)
    assert not found(waits, "ea", sender="<>")
    bounce = replace(waits, message=replace(waits.message, sender=""))
    assert found(bounce, "", site=DEAD, sender="<>")
    assert not found(bounce, "", sender=sender)


@dataclass
class Shelf:
    """`Deliveries` in memory, as far as waiting mail goes."""

    shards: dict[str, Shard]
    put_off: int = 0
    writes: int = 0
    claims: int = 0
    rounds: int = 0

    async def due(self, lane: MessageClass, now: datetime, limit: int) -> list[Due]:
        self.rounds += 1
        waiting = ((s.due, key) for key, s in self.shards.items() if s.due is not None and s.due <= now)
        chosen = [self.shards[key] for _, key in sorted(waiting)[:limit]]
        return [Due(s.id, queue.sites(s), s.message.accepted_at, urged=s.urged) for s in chosen]

    async def postpone(self, lane: MessageClass, ids: Sequence[str], until: datetime, now: datetime) -> None:
        self.put_off += len(ids)
        self.writes += 1
        for key in ids:
            self.shards[key] = replace(self.shards[key], due=until)

    async def claim(self, lane: MessageClass, shard_id: str, now: datetime, until: datetime) -> Shard | None:
        self.claims += 1
        self.shards[shard_id] = replace(self.shards[shard_id], due=until, claimed=True)
        return self.shards[shard_id]

    async def record(self, progress: Progress, report: Message | None = None) -> None:
        self.shards[progress.shard.id] = progress.shard


@dataclass
class Sites:
    """`NextHop` and `Attempt` in one: DEAD is away for a while after each try."""

    clock: list[datetime]
    away_until: datetime = START
    tried: list[str] = field(default_factory=list)

    def away(self, hop: str, lane: MessageClass) -> float:
        return max(0.0, (self.away_until - self.clock[0]).total_seconds()) if hop == DEAD else 0.0

    def urge(self, hop: str, lane: MessageClass) -> None:
        self.away_until = START

    async def __call__(self, taken: Shard) -> tuple[Progress, tuple[()]]:
        (delivery,) = taken.deliveries
        hop = delivery.destination.hop
        self.tried.append(hop)
        if hop == DEAD:
            self.away_until = self.clock[0] + timedelta(minutes=5)
            due = retry.next_attempt(START, self.clock[0], delivery.attempts + 1, 0.5)
            delivery = replace(delivery, attempts=delivery.attempts + 1)
            return Progress(replace(taken, deliveries=(delivery,), due=due, urged=False, claimed=False), ()), ()
        done = replace(delivery, state=State.DELIVERED)
        return Progress(replace(taken, deliveries=(done,), due=None, claimed=False), (done,)), ()


class Settled(Resume):
    """Rounds whose attempts are over when they return."""

    async def round(self, lane: MessageClass) -> Round:
        found = await super().round(lane)
        while tasks := self._lanes[lane].tasks:
            await asyncio.wait(list(tasks.values()))
        return found


@pytest.fixture
def clock() -> list[datetime]:
    return [START + timedelta(hours=1)]


def resume(shelf: Shelf, sites: Sites, clock: list[datetime]) -> Resume:
    nothing: Any = None
    return Settled(shelf, sites, nothing, sites, now=lambda: clock[0], jitter=lambda: 0.5)  # type: ignore[arg-type]


async def test_what_piles_up_for_a_dead_site_is_put_off_unclaimed_and_holds_up_nobody(clock: list[datetime]) -> None:
    pile = {f"d{n}/0": shard(DEAD, message_id=f"d{n}") for n in range(3000)}
    live = {f"l{n}/0": replace(shard(LIVE, message_id=f"l{n}"), due=START + timedelta(seconds=1)) for n in range(20)}
    shelf, sites = Shelf(pile | live), Sites(clock)
    rounds = resume(shelf, sites, clock)
    while await shelf.due(MessageClass.NORMAL, clock[0], 1):
        await rounds.round(MessageClass.NORMAL)
    assert sites.tried.count(LIVE) == 20
    assert sites.tried.count(DEAD) <= 8, "about its share, until it is known to be away"
    assert shelf.claims == len(sites.tried)
    assert shelf.put_off >= 2992
    assert shelf.rounds < 20
    assert shelf.writes < 10, "mails of like age are put off together"
    dues = [entry.due for key, entry in shelf.shards.items() if key in pile]
    assert sum(due is not None and due >= clock[0] + timedelta(minutes=5) for due in dues) == shelf.put_off


async def test_retry_now_passes_the_back_off_and_the_last_attempt_is_made_in_any_case(clock: list[datetime]) -> None:
    shelf = Shelf({"a/0": shard(DEAD, message_id="a"), "b/0": shard(DEAD, message_id="b", urged=True)})
    sites = Sites(clock, away_until=clock[0] + timedelta(hours=1))
    await resume(shelf, sites, clock).round(MessageClass.NORMAL)
    assert sites.tried == [DEAD]
    assert not shelf.shards["b/0"].urged
    clock[0] = START + timedelta(days=5)
    sites.away_until = clock[0] + timedelta(hours=1)
    await resume(shelf, sites, clock).round(MessageClass.NORMAL)
    assert len(sites.tried) == 3
    assert all(entry.due is None for entry in shelf.shards.values())
