"""Changes in one commit: all of them made, or each by itself, and never a wrong word about which."""

import asyncio
import signal
import sys
from collections import Counter
from typing import Any

import pytest
import store
from motor.motor_asyncio import AsyncIOMotorClient
from pymongo.monitoring import CommandFailedEvent, CommandListener, CommandStartedEvent, CommandSucceededEvent
from store import Change, Collection, Database, Document, Insert


def step(number: int, version: int, mark: int = 0) -> Change:
    return Change(number, {"$set": {"mark": mark}}, {"version": version})


async def test_all_are_made_with_their_facts_and_those_whose_condition_does_not_hold_are_named(
    posts: Collection, fact: Any
) -> None:
    await posts.bulk([Insert({"_id": number}) for number in range(250)])
    heard: list[bool] = []
    posts.on_facts(lambda: heard.append(True))
    changes = [Change(each, {"$set": {"mark": 1}}, {"version": 1}, facts=[fact(each)]) for each in range(250)]
    assert await posts.together(changes) == [True] * 250
    assert heard, "the relay is woken"
    assert len(await posts.pending(1000)) == 250
    stale, unknown = step(7, 1, 2), step(999, 1, 2)
    assert await posts.together([step(6, 2, 2), stale, step(8, 2, 2), unknown]) == [True, False, True, False]
    found = {each["_id"]: (each["mark"], each["version"]) async for each in posts.find({"_id": {"$in": [6, 7, 8]}})}
    assert found == {6: (2, 3), 7: (1, 2), 8: (2, 3)}
    assert await posts.together([]) == []
    assert await posts.together([step(7, 2, 3)]) == [True], "one alone"


@pytest.mark.parametrize("grouped", [False, True])
async def test_what_is_published_holds_up_nobody(
    mongo: str, database_name: str, posts: Collection, fact: Any, grouped: bool
) -> None:
    """A process that dies within a transaction would keep the documents of its facts from all others."""
    await posts.bulk([Insert({"_id": number}, [fact(number)]) for number in range(250)])
    transactions = Transactions()
    client: AsyncIOMotorClient[Document] = AsyncIOMotorClient(mongo, event_listeners=[transactions])
    watched = Database(client, database_name).collection("posts", grouped=grouped)
    await watched.published_all([(number, [f"fact-{number}"]) for number in range(251)])
    client.close()
    assert await posts.pending(1000) == [], "one that is gone holds up no other"
    assert bool(transactions.seen) == grouped


class Transactions(CommandListener):
    """The commands that were part of one."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def started(self, event: CommandStartedEvent) -> None:
        if "autocommit" in event.command:
            self.seen.append(event.command_name)

    def succeeded(self, event: CommandSucceededEvent) -> None: ...

    def failed(self, event: CommandFailedEvent) -> None: ...


_DIES = """
import asyncio, os, signal, sys
import store
from store import Change

async def main(uri, name):
    database = store.connect(uri, name)
    database.collection("posts", grouped=True)
    await database.succeed("worker/1")
    async with database._sessions.one() as session, session.start_transaction():
        posts = database._database["posts"]
        await posts.update_many({}, {"$set": {"mark": 1}}, session=session)
        os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main(*sys.argv[1:]))
"""


async def test_what_a_process_leaves_open_when_it_dies_is_ended_by_its_successor(
    mongo: str, database_name: str, posts: Collection
) -> None:
    await posts.bulk([Insert({"_id": number}) for number in range(3)])
    dead = await asyncio.create_subprocess_exec(sys.executable, "-c", _DIES, mongo, database_name)
    assert await dead.wait() == -signal.SIGKILL
    database = store.connect(mongo, database_name)
    database.collection("posts", grouped=True)
    await database.succeed("worker/2")
    held_up = asyncio.create_task(posts.update(1, {"$set": {"mark": 2}}))
    done, _ = await asyncio.wait({held_up}, timeout=1)
    assert not done, "another one's successor ends nothing"
    await database.succeed("worker/1")
    async with asyncio.timeout(20):
        await held_up
    assert (await posts.get(1) or {})["mark"] == 2
    assert await posts.together([step(each, 1 + (each == 1), 3) for each in range(3)]) == [True] * 3
    await database.close()


async def test_writers_of_the_same_documents_lose_nothing_to_each_other(posts: Collection) -> None:
    await posts.bulk([Insert({"_id": number, "count": 0}) for number in range(20)])
    made: Counter[int] = Counter()

    async def writer() -> None:
        for _ in range(5):
            versions = {each["_id"]: each["version"] async for each in posts.find({})}
            changes = [Change(each, {"$inc": {"count": 1}}, {"version": version}) for each, version in versions.items()]
            done = await posts.together(changes)
            made.update(change.id for change, one in zip(changes, done, strict=True) if one)

    await asyncio.gather(*(writer() for _ in range(4)))
    counts = {each["_id"]: each["count"] async for each in posts.find({})}
    assert counts == dict(made)
    assert all(counts.values())
