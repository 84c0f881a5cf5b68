"""Nothing lost and nothing twice, while the consumer is killed again and again and its handler fails."""

import asyncio
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from devstack.issuer import Issuer
from devstack.services import SERVICES, ServiceProgram, Surroundings
from messaging import DeadLetters, Letter
from store import OutboxRecord

POINTS = (
    "governance.append.head_read:3",
    "governance.append.appended:2",
    "messaging.handled:4",
    "messaging.commit:2",
    "governance.append.appended:9",
    "messaging.dead_letter.written:1",
)
EVENTS = 3000
REFUSED = "governance.test.refused"
FAILING = Path(__file__).with_name("failing_program.py")


class Failing(ServiceProgram):
    def command(self) -> list[str]:
        super().command()
        return [sys.executable, str(FAILING)]


@pytest.fixture
def governance(tmp_path: Path, streams: str, mongo: str, database_name: str, issuer: Issuer) -> Iterator[Failing]:
    """The program, not started."""
    (service,) = [service for service in SERVICES if service.name == "governance"]
    surroundings = Surroundings(streams, mongo, issuer, database_prefix=f"{database_name}_")
    program = Failing(service, tmp_path / "governance", surroundings)
    yield program
    program.kill()


@pytest.mark.slow
async def test_killed_at_every_point_under_load_the_chains_are_whole(
    governance: Failing, publish: Any, audit: Any, auditor: Any, entities: Sequence[str], streams: str
):
    """Events of six entities come in all the while, some twice and some poisonous; a release refuses some good ones."""
    good = [audit(entities[n % 6]) for n in range(EVENTS)]
    held = [audit(entity, action=REFUSED) for entity in entities]
    poison = {
        "AUDIT_INCOMPLETE": audit(entities[0], actor=""),
        "PAYLOAD_UNREADABLE": replace(audit(entities[1]), payload=b"\xff"),
        "HEADER_MISSING": without_type(audit(entities[2])),
    }
    governance.settings["BAD_ACTION"] = REFUSED
    share = EVENTS // len(POINTS)
    for round_, point in enumerate(POINTS):
        governance.settings["ROSSIO_KILL_AT"] = point
        governance.launch()
        coming = good[round_ * share : (round_ + 1) * share]
        if round_ == len(POINTS) - 1:
            coming[100:100] = [*held, *poison.values()]
        for start in range(0, len(coming), 50):
            await publish([*coming[start : start + 50], coming[start]])
        await governance.killed()
    governance.restart(ROSSIO_KILL_AT="")
    await until_chained(auditor(governance), entities, good)
    letters = DeadLetters(streams, "audit.v1", "governance")
    expected = {(reason, record.key) for reason, record in poison.items()} | {("BAD_RELEASE", r.key) for r in held}
    open_letters = await until_dead(letters, entities, expected)

    governance.restart(BAD_ACTION="")
    await letters.redrive([letter.number for letter in open_letters])
    await until_chained(auditor(governance), entities, [*good, *held])
    await until_dead(letters, entities, {(reason, record.key) for reason, record in poison.items()})
    await publish(held)
    more = [audit(entity) for entity in entities]
    await publish(more)
    await until_chained(auditor(governance), entities, [*good, *held, *more])


def without_type(record: OutboxRecord) -> OutboxRecord:
    return replace(record, headers=tuple(header for header in record.headers if header[0] != "ce_type"))


async def until_dead(letters: DeadLetters, entities: Sequence[str], expected: set[Any]) -> list[Letter]:
    """Polls until there is an open letter of the entities for each (reason, key) expected, and sees no other one."""
    keys = {entity.encode() for entity in entities}
    found, seen = list[Letter](), set[Any]()
    async with asyncio.timeout(120):
        while not expected <= seen:
            found = [letter for letter in await letters.list() if letter.key in keys]
            seen = {(letter.reason, letter.key) for letter in found}
            await asyncio.sleep(0.2)
    assert seen == expected
    return found


async def until_chained(reader: Any, entities: Sequence[str], expected: Sequence[OutboxRecord]) -> None:
    """Polls until the chains of the entities, each verified, hold as many records; they are the expected, each once."""
    found = Counter[str]()
    async with asyncio.timeout(120):
        while found.total() < len(expected):
            chains = [await reader.chain(entity) for entity in entities]
            found = Counter(action.audit_id for actions, _ in chains for action in actions)
            await asyncio.sleep(0.2)
    assert found == Counter(record.id for record in expected)
