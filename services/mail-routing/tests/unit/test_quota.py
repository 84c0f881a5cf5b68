"""How much of what: shares that refill, and those whom they are counted for."""

from hypothesis import given
from hypothesis import strategies as st
from mail_routing.domain.pace import Pace
from mail_routing.domain.quota import Quotas, Rate


def test_a_share_is_had_at_once_or_slowly_and_refills() -> None:
    pace = Pace(3, 60)
    for _ in range(3):
        assert not pace.over("a", 100.0)
        pace.spend("a", 1, 100.0)
    assert pace.over("a", 100.0)
    assert pace.over("a", 119.9)
    assert not pace.over("a", 120.0)
    assert not pace.over("b", 100.0)


@given(st.lists(st.floats(min_value=0, max_value=30), max_size=200))
def test_no_rhythm_gives_more_than_twice_the_share_in_one_span(waits: list[float]) -> None:
    pace, now, taken = Pace(5, 60), 0.0, list[float]()
    for wait in waits:
        now += wait
        if not pace.over("a", now):
            pace.spend("a", 1, now)
            taken.append(now)
    for first in taken:
        assert sum(first <= each < first + 60 for each in taken) <= 10


def test_what_is_beyond_the_share_is_owed() -> None:
    pace = Pace(10, 60)
    pace.spend("a", 30, 0)
    assert pace.over("a", 119)
    assert not pace.over("a", 127)


def test_an_allowance_of_nothing_is_none() -> None:
    pace = Pace(0)
    pace.spend("a", 1e9, 0)
    assert not pace.over("a", 0)


def test_the_forgotten_take_no_room() -> None:
    pace = Pace(1, 1)
    for number in range(30_000):
        pace.spend(str(number), 1, float(number))
    assert len(pace._until) <= 10_001


def test_replicas_share_what_there_is_and_none_is_without_a_limit() -> None:
    assert Rate(mails=7, octets=1).shared(3) == Rate(mails=3, recipients=0, octets=1)
    assert Rate(120, 5000, 10).shared(1) == Rate(120, 5000, 10)


def test_each_is_counted_by_itself_and_who_is_not_known_is_not() -> None:
    quotas = Quotas({"principal": Rate(mails=1), "entity": Rate(octets=100)})
    quotas.spend({"principal": "ana", "entity": "e1"}, 0.0, mails=1, octets=100)
    assert quotas.over({"principal": "ana"}, 0.0, "mails")
    assert quotas.over({"principal": "rui", "entity": "e1"}, 0.0, "mails", "octets")
    assert not quotas.over({"principal": "rui", "entity": "e1"}, 0.0, "mails")
    assert not quotas.over({"principal": "", "entity": "e2", "client": "x"}, 0.0, "mails", "octets")
