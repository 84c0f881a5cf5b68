"""Watermark, lanes and ready queue, without a broker: what may be committed, and what order holds."""

from collections import defaultdict

from aiokafka import ConsumerRecord
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from messaging.settle.item import Item
from messaging.settle.lanes import Heads, Lane, Partition, Ready
from messaging.settle.limit import Limit


async def one(deliveries):
    pass


async def other(deliveries):
    pass


def lane_of(partition, each) -> Lane:
    lane: Lane | None = partition.add(each)
    assert lane is not None
    return lane


def item(offset, key, handler=one):
    record = ConsumerRecord("t", 0, offset, 0, 0, key, b"", None, 0, 0, ())
    return Item(record, handler=handler)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.tuples(st.sampled_from([b"a", b"b", b"c", None]), st.sampled_from([one, other]))),
    st.integers(1, 5),
    st.data(),
)
def test_whatever_the_turns_keys_keep_their_order_and_nothing_unsettled_is_committed(records, most, data):
    partition, ready = Partition(), Ready(most)
    order = defaultdict(list)
    for offset, (key, handler) in enumerate(records):
        if lane := partition.add(item(offset, key, handler)):
            ready.put(lane)
    settled = set()
    in_hand: list[tuple[list[Item], Heads]] = []
    while ready or in_hand:
        if ready and (not in_hand or data.draw(st.booleans())):
            handler, taken, heads = ready.take()
            assert 1 <= len(taken) <= most
            assert {each.handler for each in taken} == {handler}
            in_hand.append((taken, heads))
            continue
        taken, heads = in_hand.pop(data.draw(st.integers(0, len(in_hand) - 1)))
        items = iter(taken)
        for lane, count in heads:
            done = data.draw(st.integers(0, count))
            for number in range(count):
                offset = next(items).record.offset
                if number < done:
                    settled.add(offset)
                    order[lane.key].append(offset)
            lane.settle(done)
            if lane.items:
                ready.put(lane)
        first = min(set(range(len(records))) - settled, default=len(records))
        assert (partition.watermark.position or 0) == first
        assert partition.watermark.settled_ahead() == {(offset, 0) for offset in settled if offset > first}
    assert len(settled) == len(records)
    assert all(offsets == sorted(offsets) for offsets in order.values())
    assert not partition.lanes


def test_what_was_in_a_batch_that_failed_is_taken_alone():
    partition, ready = Partition(), Ready(10)
    items = [item(offset, b"a") for offset in range(3)] + [item(3, b"b")]
    lanes = [lane for each in items if (lane := partition.add(each))]
    items[0].alone = items[1].alone = True
    for lane in lanes:
        ready.put(lane)
    taken = [ready.take(), ready.take()]
    assert sorted([each.record.offset for each in items] for _, items, _ in taken) == [[0], [3]]


def test_a_queue_that_is_always_full_does_not_starve_another():
    partition, ready = Partition(), Ready(2)
    for offset in range(10):
        ready.put(lane_of(partition, item(offset, None, one)))
    ready.put(lane_of(partition, item(10, None, other)))
    assert [ready.take()[0] for _ in range(3)] == [one, other, one]


def test_the_limit_looks_at_the_last_records_only():
    limit = Limit(ratio=0.1, least=3, last=100)
    assert [limit.take() for _ in range(4)] == [True, True, True, False]
    limit.done(50)
    assert [limit.take() for _ in range(4)] == [True, True, True, False]  # 6 of 56
    limit.give_back()
    assert limit.take()
    limit.done(200)
    assert not limit.reached
    assert sum(limit.take() for _ in range(100)) == 10
