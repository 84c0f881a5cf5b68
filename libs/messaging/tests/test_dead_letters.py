"""Dead letters as an operator handles them, killed in the middle among it."""

import asyncio
import os
import subprocess
import sys
from collections import Counter
from dataclasses import replace

import pytest
from errors import Conflict, Invalid, NotFound, Transient
from messaging import DeadLetters, Patience, State

REDRIVE = """
import asyncio, sys
from dataclasses import replace
from datetime import timedelta
from messaging import DeadLetters, catalogue

bootstrap, name, service = sys.argv[1:]
stream = replace(catalogue().stream("news.post.v1"), name=name, partitions=4, consumers=(service,))
print(asyncio.run(DeadLetters(bootstrap, stream, service, lease=timedelta(0)).redrive()))
"""


@pytest.fixture
async def broken(producer, acknowledged, consume, until, letters):
    """A service that could not handle ten events; the second release of it can."""
    state = {"release": 1}
    seen: Counter[str] = Counter()

    async def handle(deliveries):
        (delivery,) = deliveries
        if state["release"] == 1:
            raise Invalid("not yet", reason="NOT_YET")
        seen[delivery.subject] += 1

    await producer.publish([acknowledged(f"key-{n}", n) for n in range(10)])
    await consume(handle)

    async def dead():
        return len(await letters.list()) == 10

    await until(dead)
    state["release"] = 2
    return seen


async def test_a_letter_is_shown_with_its_event(letters, broken):
    found = await letters.list()
    assert {letter.header("ce_subject") for letter in found} == {f"key-{n}" for n in range(10)}
    letter = await letters.show(found[3].number)
    assert letter == found[3]
    assert (
        letter.content()
        == {
            "postId": letter.header("ce_subject"),
            "entityId": "e01",
            "textVersion": int(letter.header("ce_subject")[4:]),
        }
        or letter.header("ce_subject") == "key-0"
    )
    with pytest.raises(NotFound):
        await letters.show(99)


async def test_a_redrive_delivers_each_letter_once_with_key_and_headers_as_they_were(
    letters, broken, until, consume, producer, acknowledged
):
    everything = {letter.header("ce_id"): letter for letter in await letters.list()}
    others = []

    async def other_service(deliveries):
        others.extend(deliveries)

    await consume(other_service, service="other")
    await until(lambda: len(others) == 10)

    assert await letters.redrive() == 10
    await until(lambda: broken.total() == 10)
    assert await letters.redrive() == 0
    await producer.publish([acknowledged("after", 1)])
    await until(lambda: broken["after"] == 1)
    assert set(broken.values()) == {1}
    assert await letters.list() == []
    settled = await letters.list(settled=True)
    assert {letter.state for letter in settled} == {State.REDRIVEN}
    assert {letter.header("ce_id"): letter.headers for letter in settled} == {
        identity: letter.headers for identity, letter in everything.items()
    }
    # The other service had no trouble with them, and is not bothered again.
    await until(lambda: others[-1].subject == "after")
    assert len(others) == 11


async def test_letters_can_be_chosen_by_number_to_redrive_or_to_drop(letters, broken, until):
    numbers = [letter.number for letter in await letters.list()]
    assert await letters.drop(numbers[:4]) == 4
    assert await letters.redrive(numbers[4:6]) == 2
    await until(lambda: broken.total() == 2)
    assert [letter.number for letter in await letters.list()] == numbers[6:]
    with pytest.raises(NotFound):
        await letters.redrive([numbers[0], numbers[7]])
    with pytest.raises(NotFound):
        await letters.drop([999])
    assert await letters.drop() == 4
    assert await letters.list() == []
    assert Counter(letter.state for letter in await letters.list(settled=True)) == {State.DROPPED: 8, State.REDRIVEN: 2}


@pytest.mark.parametrize("point", ["messaging.redrive.marked", "messaging.redrive.published"])
async def test_a_redrive_that_is_killed_and_run_again_delivers_once(
    kafka, stream, letters, broken, until, producer, acknowledged, point
):
    def redrive(**environment):
        return subprocess.run(
            [sys.executable, "-c", REDRIVE, kafka, stream.name, "probe"],
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            check=False,
        )

    for _ in range(2):
        killed = redrive(ROSSIO_KILL_AT=point)
        if killed.returncode == 0:  # all was published, so that it passes no point any more
            break
        assert killed.returncode == -9, killed.stderr
        assert len(await letters.list()) == 10
    finished = redrive()
    assert finished.returncode == 0, finished.stderr
    await producer.publish([acknowledged("after", 1)])
    await until(lambda: broken.total() == 11)
    assert set(broken.values()) == {1}
    assert await letters.list() == []


async def test_of_redrives_at_one_moment_one_has_the_letters_and_each_is_delivered_once(
    letters, broken, until, producer, acknowledged
):
    said = await asyncio.gather(*(letters.redrive() for _ in range(4)), return_exceptions=True)
    assert sum(each for each in said if isinstance(each, int)) == 10
    assert {each.reason for each in said if isinstance(each, Conflict)} <= {"REDRIVING"}
    assert all(isinstance(each, int | Conflict) for each in said)
    await producer.publish([acknowledged("after", 1)])
    await until(lambda: broken["after"] == 1 and broken.total() == 11)
    assert set(broken.values()) == {1}
    assert await letters.list() == []


async def test_letters_of_a_redrive_that_was_killed_are_left_alone_until_its_lease_is_over(
    kafka, stream, letters, broken, until
):
    killed = subprocess.run(
        [sys.executable, "-c", REDRIVE.replace("timedelta(0)", "timedelta(hours=1)"), kafka, stream.name, "probe"],
        env={**os.environ, "ROSSIO_KILL_AT": "messaging.redrive.marked"},
        capture_output=True,
        check=False,
    )
    assert killed.returncode == -9
    with pytest.raises(Conflict, match="run this again after"):
        await letters.redrive()
    assert {letter.state for letter in await letters.list()} == {State.REDRIVING}
    assert await letters.drop() == 10
    assert broken.total() == 0


async def test_a_stream_without_dead_letters_is_said_to_be(kafka, stream):
    with pytest.raises(Invalid):
        DeadLetters(kafka, stream, "stranger")
    with pytest.raises(Transient):
        await DeadLetters(kafka, replace(stream, name="test.nothing"), "probe").list()


async def test_what_fails_again_is_a_new_letter(kafka, stream, producer, acknowledged, consume, until):
    async def handle(deliveries):
        raise Invalid("never", reason="NEVER")

    letters = DeadLetters(kafka, stream, "probe")
    await producer.publish([acknowledged("key", 1)])
    await consume(handle, patience=Patience(first_wait=0.01))

    async def one():
        return len(await letters.list()) == 1

    await until(one)
    (first,) = await letters.list()
    await letters.redrive()
    await until(one)
    (second,) = await letters.list()
    assert second.number > first.number
    assert second.key == first.key
    assert second.header("ce_id") == first.header("ce_id")
    assert await letters.redrive() == 1
    await until(one)
