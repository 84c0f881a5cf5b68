"""Several writers of the same chains, on a real store: what Kafka's rebalances bring about now and then."""

import asyncio
import random

from cli.audit_chain import ChainVerifier
from errors import Transient
from governance.adapters.store import INDEXES, ChainStore
from governance.adapters.wire import to_record
from governance.application.append import append
from governance.domain.chain import Entry, Head
from rossio.governance.v1.audit_pb2 import ActionAudited
from store import Database


def entry(entity_id: str, number: int) -> Entry:
    action = ActionAudited(audit_id=f"{entity_id}-{number}", entity_id=entity_id, action="a.b.c", resource=f"{number}")
    return Entry(action.audit_id, entity_id, action.SerializeToString())


async def chain_store(database: Database) -> ChainStore:
    records = database.collection("records")
    await database.ensure(records, INDEXES)
    return ChainStore(records)


async def test_writers_that_overlap_append_each_record_once_and_leave_no_fork(database: Database):
    """Five writers with heads of their own get overlapping batches of two chains, all at once."""
    writers = [await chain_store(database) for _ in range(5)]
    chances = random.Random(7)
    batches = [
        [entry(entity, number) for number in range(start, start + 30)]
        for entity in ("e1", "e2")
        for start in chances.choices(range(270), k=20) + list(range(0, 271, 30))
    ]
    chances.shuffle(batches)
    await asyncio.gather(*(append_until_done(writers[n % 5], batch) for n, batch in enumerate(batches)))
    for entity in ("e1", "e2"):
        verifier = ChainVerifier()
        seen = set()
        async for link in writers[0].read(entity, 0):
            verifier.take(to_record(link))
            seen.add(link.entry.audit_id)
        assert seen == {f"{entity}-{number}" for number in range(300)}
        assert verifier.length == 300
        assert await writers[1].head(entity) == Head(300, verifier.hash)


async def append_until_done(chains: ChainStore, batch: list[Entry]) -> None:
    """As the consumer does: `Transient` means later."""
    while True:
        try:
            return await append(chains, batch)
        except Transient:
            await asyncio.sleep(0)


async def test_the_head_is_found_from_nothing_at_every_length(database: Database):
    chains = await chain_store(database)
    for length in range(40):
        assert (await ChainStore(database.collection("records")).head("e1")).length == length
        await append(chains, [entry("e1", length)])


async def test_a_record_given_twice_in_a_batch_stands_once(database: Database):
    chains = await chain_store(database)
    await append(chains, [entry("e1", 1), entry("e1", 2), entry("e1", 1)])
    await append(chains, [entry("e1", 2), entry("e1", 3)])
    assert [link.entry.audit_id async for link in chains.read("e1", 0)] == ["e1-1", "e1-2", "e1-3"]


async def test_a_chain_is_read_in_pages_from_any_place(database: Database):
    chains = await chain_store(database)
    await append(chains, [entry("e1", number) for number in range(1100)])
    assert [link.sequence async for link in chains.read("e1", 0)] == list(range(1, 1101))
    assert [link.sequence async for link in chains.read("e1", 999)] == list(range(1000, 1101))
    assert [link async for link in chains.read("e1", 1100)] == []


async def test_chains_are_listed_by_entity_the_one_of_no_entity_first(database: Database):
    chains = await chain_store(database)
    for entity in ("e2", "", "e1", "e3"):
        await append(chains, [entry(entity, number) for number in range(3)])
    assert await chains.entities(None, 3) == ["", "e1", "e2"]
    assert await chains.entities("", 3) == ["e1", "e2", "e3"]
    assert await chains.entities("e2", 3) == ["e3"]
