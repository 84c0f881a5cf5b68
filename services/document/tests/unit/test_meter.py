"""What is booked is what is stored, whichever steps are cut off and whoever comes between; over a store in memory."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest
from document.application.meter import Meter
from document.application.recount import Recount
from document.domain.node import Act
from document.domain.permissions import GranteeKind, Subject
from document.domain.quota import Charge, Usage, entity, space
from errors import Conflict, Exhausted
from hypothesis import given, settings
from hypothesis import strategies as st
from telemetry import capture, names

AT = datetime(2026, 1, 1, tzinfo=UTC)
LIMIT = 20


class Died(Exception):
    """The process, at some step."""


@dataclass
class Memory:
    """The port `Usages`, with the nodes beside it; dies before the step that `left` counts down to."""

    left: int = 1 << 30
    usages: dict[str, Usage] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    charged: dict[str, str] = field(default_factory=dict)
    writes: int = 0

    def step(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise Died

    async def of(self, holder: str) -> Usage:
        return self.usages.get(holder, Usage(0, LIMIT))

    async def limit(self, holder: str, limit: int, entity_id: str, act: Act) -> None:
        raise NotImplementedError

    async def reserve(self, holder: str, charges: Sequence[Charge]) -> bool:
        self.step()
        usage = await self.of(holder)
        aside = sum(max(charge.size, 0) for charge in (*usage.pending, *charges))
        if usage.used + aside > usage.limit and any(charge.size > 0 for charge in charges):
            return False
        self.usages[holder] = replace(usage, pending=(*usage.pending, *charges))
        self.writes += 1
        return True

    async def settle(self, holder: str, charges: Sequence[Charge], made: Sequence[Charge]) -> None:
        self.step()
        usage = await self.of(holder)
        self.writes += 1
        if charges[0] in usage.pending:
            pending = tuple(charge for charge in usage.pending if charge not in charges)
            self.usages[holder] = replace(usage, used=usage.used + sum(c.size for c in made), pending=pending)

    async def was_made(self, charge: Charge) -> bool:
        return self.charged.get(charge.node_id) == charge.charge_id

    async def held(self, entity_id: str) -> Mapping[str, int]:
        return {holder: await self.held_by(holder) for holder in (space("s"), entity("e"))}

    async def held_by(self, holder: str) -> int:
        return sum(self.sizes.values())

    async def revision(self, holder: str) -> tuple[Usage, int]:
        return await self.of(holder), self.writes

    async def correct(self, holder: str, revision: int, before: int, held: int, entity_id: str, act: Act) -> bool:
        usage = await self.of(holder)
        if revision == self.writes:
            self.usages[holder] = replace(usage, used=usage.used + held - before)
        return revision == self.writes

    def write(self, charge: Charge) -> None:
        self.step()
        self.sizes[charge.node_id] = self.sizes.get(charge.node_id, 0) + charge.size
        self.charged[charge.node_id] = charge.charge_id


WRITES = st.lists(
    st.tuples(st.sampled_from(["n1", "n2"]), st.integers(-5, 8).filter(bool), st.integers(0, 8), st.booleans()),
    max_size=25,
)


async def write(memory: Memory, meter: Meter, charge: Charge, *, refused: bool) -> None:
    """As the store does it; a write is refused when somebody else was faster."""
    if earlier := memory.charged.get(charge.node_id):
        await meter.book("s", "e", earlier)
    await meter.reserve([charge])
    if refused:
        return await meter.settle([charge], made=[])
    memory.write(charge)
    return await meter.settle([charge], made=[charge])


@settings(max_examples=300, deadline=None)
@given(WRITES)
def test_what_is_booked_is_what_is_stored(writes: list[tuple[str, int, int, bool]]):
    memory = Memory()
    later = AT

    async def run() -> None:
        nonlocal later
        for number, (node_id, size, steps, refused) in enumerate(writes):
            if memory.sizes.get(node_id, 0) + size < 0:
                continue
            memory.left = steps
            charge = Charge(f"c{number}", node_id, "s", "e", size, later)
            with suppress(Died, Exhausted):
                await write(memory, Meter(memory, lambda: later), charge, refused=refused)
            assert sum(memory.sizes.values()) <= LIMIT
        memory.left = 1 << 30
        later += timedelta(hours=1)
        for holder in (space("s"), entity("e")):
            usage = await Meter(memory, lambda: later).usage(holder)
            assert (usage.used, usage.pending) == (sum(memory.sizes.values()), ())

    asyncio.run(run())


@dataclass
class Meddling(Memory):
    """Somebody's write is done, up to a step of it, before the files are looked at; `meddle` times."""

    meddle: int = 0
    upto: int = 4

    async def held_by(self, holder: str) -> int:
        if self.meddle:
            self.meddle -= 1
            self.left = self.upto
            with suppress(Died):
                charge = Charge(f"m{self.meddle}", f"m{self.meddle}", "s", "e", 1, AT)
                await write(self, Meter(self, lambda: AT), charge, refused=False)
            self.left = 1 << 30
        return await super().held_by(holder)


@pytest.mark.parametrize("upto", range(6))
async def test_a_recount_takes_no_write_for_an_error_however_far_it_has_come(upto: int):
    """Counters are wrong before; a write begins before files are looked at, and may break off anywhere."""
    memory, act = Meddling(upto=upto), Act("a", Subject(GranteeKind.PERSON, "p", "e"), AT)
    memory.usages = {space("s"): Usage(3, LIMIT), entity("e"): Usage(0, LIMIT)}
    memory.sizes, memory.meddle = {"n": 2}, 3
    later = AT + timedelta(hours=1)
    await Recount(Meter(memory, lambda: later))(act, "e", dry_run=False, may=True)
    for holder in (space("s"), entity("e")):
        assert (await Meter(memory, lambda: later).usage(holder)).used == sum(memory.sizes.values())


async def test_a_recount_gives_up_while_somebody_is_on_the_way_to_a_write():
    memory, act = Memory(), Act("a", Subject(GranteeKind.PERSON, "p", "e"), AT)
    memory.usages = {
        holder: Usage(3, LIMIT, (Charge("c", "n", "s", "e", 1, AT),)) for holder in (space("s"), entity("e"))
    }
    with pytest.raises(Conflict, match="try again"):
        await Recount(Meter(memory, lambda: AT))(act, "e", dry_run=False, may=True)
    assert memory.usages[space("s")].used == 3


def test_what_is_booked_is_counted_by_entity():
    def counted() -> tuple[float, ...]:
        return tuple(capture.value(names.DOCUMENT_BYTES, entity="e", outcome=what) for what in ("stored", "freed"))

    memory, (stored, freed) = Memory(left=1 << 30), counted()
    for number, size in enumerate((3, -1, 1)):
        charge = Charge(f"c{number}", "n", "s", "e", size, AT)
        asyncio.run(write(memory, Meter(memory, lambda: AT), charge, refused=number == 2))
    assert counted() == (stored + 3, freed + 1)
