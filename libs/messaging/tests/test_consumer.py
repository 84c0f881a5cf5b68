"""The settling consumer on a real Kafka."""

import asyncio
from collections import Counter, defaultdict
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from errors import Invalid, Transient
from messaging import Consumer, Kafka, Limit, Patience, caused_by, fact, new_id
from rossio.mail.v1.events_pb2 import MessageAccepted
from rossio.news.v1.events_pb2 import PostAcknowledged, PostRetracted

from .conftest import committed

HASTY = Patience(first_wait=0.01, longest_wait=0.1)


async def test_every_event_is_handled_in_the_order_of_its_key_and_committed(
    kafka, stream, producer, acknowledged, consume, until, number_of
):
    seen = defaultdict(list)

    async def handle(deliveries):
        for delivery in deliveries:
            await asyncio.sleep(0)
            seen[delivery.subject].append(number_of(delivery))

    await producer.publish([acknowledged(f"key-{n % 50}", n) for n in range(2000)])
    consumer = await consume(handle)
    await until(lambda: sum(map(len, seen.values())) == 2000)
    await consumer.stop()

    assert all(numbers == sorted(numbers) for numbers in seen.values())
    assert await committed(kafka, stream) == 2000


async def test_different_keys_run_at_one_time_and_one_key_never_does(producer, acknowledged, consume, until):
    running: Counter[str] = Counter()
    most: Counter[str] = Counter()
    handled = 0

    async def handle(deliveries):
        nonlocal handled
        key = deliveries[0].subject
        running[key] += 1
        most[key] = max(most[key], running[key])
        most["all"] = max(most["all"], running.total())
        await asyncio.sleep(0.01)
        running[key] -= 1
        handled += 1

    await producer.publish([acknowledged(f"key-{n % 20}", n) for n in range(200)])
    await consume(handle)
    await until(lambda: handled == 200)
    assert most.pop("all") == 20
    assert set(most.values()) == {1}


async def test_what_can_never_work_becomes_a_dead_letter_at_once_and_a_bug_after_three_attempts(
    stream, producer, acknowledged, consume, until, letters
):
    attempts: Counter[str] = Counter()

    async def handle(deliveries):
        (delivery,) = deliveries
        attempts[delivery.subject] += 1
        assert delivery.attempt == attempts[delivery.subject]
        if delivery.subject == "never":
            raise Invalid("no such post", reason="POST_UNKNOWN")
        if delivery.subject == "bug":
            raise KeyError("oops")

    await producer.publish([acknowledged(key, 1) for key in ("never", "bug", "good")])
    await consume(handle, patience=HASTY)

    async def two():
        return len(await letters.list()) == 2

    await until(two)
    never, bug = sorted(await letters.list(), key=lambda letter: letter.key, reverse=True)
    assert (never.reason, never.attempts, never.key) == ("POST_UNKNOWN", 1, b"never")
    assert (bug.reason, bug.attempts, bug.detail) == ("BUG", 3, "KeyError: 'oops'")
    assert bug.header("ce_type") == "rossio.news.v1.PostAcknowledged"
    assert bug.origin.rpartition(":")[0].rpartition(":")[0] == stream.name
    assert attempts == {"never": 1, "bug": 3, "good": 1}


async def test_a_dependency_that_is_down_holds_up_only_the_lanes_that_need_it(
    kafka, stream, producer, acknowledged, consume, until, letters, number_of
):
    down = True
    seen = defaultdict(list)

    async def handle(deliveries):
        (delivery,) = deliveries
        if down and delivery.subject == "needs-it":
            raise Transient("the provider is down")
        seen[delivery.subject].append(number_of(delivery))

    await producer.publish([acknowledged("needs-it", n) for n in range(3)])
    # With one worker only, so that a lane that waits would hold up all others if it held a worker.
    await consume(handle, concurrency=1, patience=HASTY)
    await producer.publish([acknowledged(f"key-{n % 8}", n) for n in range(400)])
    await until(lambda: sum(map(len, seen.values())) == 400)
    assert "needs-it" not in seen

    down = False
    await until(lambda: seen["needs-it"] == [0, 1, 2])
    assert await letters.list() == []

    async def all_committed():
        return await committed(kafka, stream) == 403

    await until(all_committed)


async def test_an_attempt_that_hangs_is_broken_off_and_waits(producer, acknowledged, consume, until):
    attempts = []

    async def handle(deliveries):
        attempts.append(deliveries[0].attempt)
        if len(attempts) == 1:
            await asyncio.Event().wait()

    await producer.publish([acknowledged("key", 1)])
    await consume(handle, patience=Patience(attempt=0.2, first_wait=0.01))
    await until(lambda: attempts == [1, 2])


async def test_a_cancelled_error_from_inside_a_handler_is_a_bug_of_it_and_stops_no_lane(
    producer, acknowledged, consume, until, letters
):
    seen: list[str] = []

    async def handle(deliveries):
        (delivery,) = deliveries
        if not seen:
            seen.append("cancelled")
            future = asyncio.get_running_loop().create_future()
            future.cancel()
            await future
        seen.append(delivery.subject)

    await producer.publish([acknowledged("key", 1)])
    await consume(handle, patience=HASTY)
    await until(lambda: seen == ["cancelled", "key"])
    assert await letters.list() == []


async def test_a_batch_holds_heads_of_several_lanes_in_order(producer, acknowledged, consume, until, number_of):
    calls = []

    async def handle(deliveries):
        calls.append([(delivery.subject, number_of(delivery)) for delivery in deliveries])

    await producer.publish([acknowledged(f"key-{n % 10}", n) for n in range(1000)])
    await consume(handle, batch=200, concurrency=2)
    await until(lambda: sum(map(len, calls)) == 1000)
    assert max(map(len, calls)) > 20
    assert max(map(len, calls)) <= 200
    by_key = defaultdict(list)
    for key, number in (one for call in calls for one in call):
        by_key[key].append(number)
    assert all(numbers == sorted(numbers) for numbers in by_key.values())


async def test_a_batch_that_fails_is_tried_record_by_record_so_that_only_the_bad_one_is_dead(
    producer, acknowledged, consume, until, letters, number_of
):
    done: list[tuple[str, int]] = []

    async def handle(deliveries):
        if any(number_of(delivery) == 7 for delivery in deliveries):
            raise Invalid("seven", reason="SEVEN")
        done.extend((delivery.subject, number_of(delivery)) for delivery in deliveries)

    await producer.publish([acknowledged(f"key-{n % 4}", n) for n in range(100)])
    await consume(handle, batch=50, patience=HASTY)
    await until(lambda: len(done) == 99)

    async def one():
        return [letter.reason for letter in await letters.list()] == ["SEVEN"]

    await until(one)
    assert sorted(number for _, number in done) == [n for n in range(100) if n != 7]
    for key in range(4):
        numbers = [number for subject, number in done if subject == f"key-{key}"]
        assert numbers == sorted(numbers)


async def test_the_line_stops_before_a_bad_release_empties_the_stream_and_a_good_one_goes_on(
    producer, acknowledged, consume, until, letters
):
    attempts: Counter[str] = Counter()

    async def bad(deliveries):
        attempts.update(delivery.id for delivery in deliveries)
        raise Invalid("a bad release", reason="BAD")

    await producer.publish([acknowledged(f"key-{n}", n) for n in range(300)])
    bad_release = await consume(bad, patience=replace(HASTY, drain=0.5), limit=Limit(ratio=0.1, least=20, last=1000))

    async def twenty():
        return len(await letters.list()) == 20

    await until(twenty)
    tried = attempts.total()
    await until(lambda: len(attempts) == 300 and attempts.total() > tried + 300)
    assert len(await letters.list()) == 20
    await bad_release.stop()

    done: set[str] = set()

    async def good(deliveries):
        done.update(delivery.id for delivery in deliveries)

    await consume(good)
    await until(lambda: len(done) == 280)
    assert len(await letters.list()) == 20


async def test_types_without_a_handler_are_settled_as_done(kafka, stream, producer, raw, consume, until, acknowledged):
    seen = []

    async def handle(deliveries):
        seen.extend(deliveries)

    retracted = fact(PostRetracted(post_id="p", entity_id="e01"), id=new_id(), at=datetime.now(UTC))
    await raw.send_and_wait(stream.name, retracted.payload, key=b"p", headers=list(retracted.headers))
    await raw.send_and_wait(stream.name, b"?", key=b"p", headers=[("ce_type", b"rossio.news.v1.NotYetInvented")])
    await producer.publish([acknowledged("p", 1)])
    consumer = await consume(handle)
    await until(lambda: len(seen) == 1)
    await consumer.stop()
    assert await committed(kafka, stream) == 3


async def test_what_cannot_be_decoded_becomes_a_dead_letter_with_its_reason(
    stream, raw, acknowledged, consume, until, letters
):
    seen = []

    async def handle(deliveries):
        seen.extend(deliveries)

    good = acknowledged("good", 1)
    headers = dict(good.headers)

    def changed(**others):
        return list({**headers, **others}.items())

    bad = {
        "not protobuf": (b"\xff\xff\xff", changed()),
        "no payload": (None, changed()),
        "no type": (good.payload, [(k, v) for k, v in headers.items() if k != "ce_type"]),
        "no headers": (good.payload, []),
        "no id": (good.payload, [(k, v) for k, v in headers.items() if k != "ce_id"]),
        "binary id": (good.payload, changed(ce_id=b"\xff\xfe")),
        "null id": (good.payload, changed(ce_id=None)),
        "a time that is none": (good.payload, changed(ce_time=b"yesterday")),
    }
    for key, (payload, its_headers) in bad.items():
        await raw.send_and_wait(stream.name, payload, key=key.encode(), headers=its_headers)
    foreign = [*changed(), ("foreign", b"\x00\xff\xfe"), ("null", None)]
    await raw.send_and_wait(stream.name, good.payload, key=b"good", headers=foreign)
    await raw.send_and_wait(stream.name, b"", headers=[("ce_type", b"\xff")])  # a type, though an unknown one
    await consume(handle)

    async def all_dead():
        return len(await letters.list()) == len(bad)

    await until(all_dead)
    assert [delivery.subject for delivery in seen] == ["good"]
    assert {letter.key.decode(): letter.reason for letter in await letters.list()} == {
        "not protobuf": "PAYLOAD_UNREADABLE",
        "no payload": "PAYLOAD_MISSING",
        "no type": "HEADER_MISSING",
        "no headers": "HEADER_MISSING",
        "no id": "HEADER_MISSING",
        "binary id": "HEADER_UNREADABLE",
        "null id": "HEADER_UNREADABLE",
        "a time that is none": "HEADER_UNREADABLE",
    }


async def test_the_largest_record_still_fits_into_the_dead_letters(stream, raw, consume, until, letters):
    async def handle(deliveries):
        raise AssertionError

    payload = b"\xff" * (stream.max_message_bytes - 200)
    await raw.send_and_wait(
        stream.name, payload, key=b"large", headers=[("ce_type", b"rossio.news.v1.PostAcknowledged")]
    )
    await consume(handle)

    async def there():
        return [len(letter.payload) for letter in await letters.list()] == [len(payload)]

    await until(there)


async def test_facts_made_in_a_handler_carry_on_correlation_and_cause(producer, acknowledged, consume, until):
    made = []

    async def handle(deliveries):
        for delivery in deliveries:
            with caused_by(delivery):
                made.append((delivery, dict(acknowledged("next", 1).headers)))
            if len(deliveries) == 1:
                made.append((delivery, dict(acknowledged("next", 1).headers)))

    first = acknowledged("key", 1)
    await producer.publish([first])
    await consume(handle)
    await until(lambda: len(made) == 2)
    for delivery, headers in made:
        assert headers["correlationid"].decode() == delivery.correlation_id == first.id
        assert headers["causationid"].decode() == delivery.id == first.id
    assert "causationid" not in dict(acknowledged("outside", 1).headers)


async def test_only_what_came_after_the_partition_and_was_never_tried_is_fresh(
    producer, acknowledged, consume, until, letters, number_of
):
    fresh = defaultdict(list)

    async def handle(deliveries):
        (delivery,) = deliveries
        number = number_of(delivery)
        fresh[number].append(delivery.fresh)
        if number == 7 and len(fresh[7]) == 1:
            raise Transient("not now")
        if number == 8 and len(fresh[8]) == 1:
            raise Invalid("never")

    # One key, so that all of them are in one partition.
    await producer.publish([acknowledged("key", n) for n in range(5)])
    await consume(handle, patience=HASTY)
    await until(lambda: len(fresh) == 5)
    await producer.publish([acknowledged("key", n) for n in range(5, 9)])
    await until(lambda: len(fresh) == 9 and len(fresh[7]) == 2)
    while not await letters.list():
        await asyncio.sleep(0.05)
    await letters.redrive()
    await until(lambda: len(fresh[8]) == 2)
    assert all(fresh[n] == [False] for n in range(5))
    assert fresh[5] == fresh[6] == [True]
    assert fresh[7] == fresh[8] == [True, False]


async def test_a_handler_for_a_type_that_is_never_on_the_stream_is_refused(stream):
    async def handle(deliveries):
        pass

    with pytest.raises(Invalid, match="MessageAccepted"):
        Consumer(Kafka("nowhere:1"), stream, "probe", {PostAcknowledged: handle, MessageAccepted: handle})
