from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st
from notification.domain.failover import Measured, Shares, Steering, choose, resting, steer

AT = datetime(2026, 11, 26, 12, tzinfo=UTC)
RULES = Steering()
GOOD, SLOW, FAILING = Measured(100, 1, 0), Measured(100, 15, 0), Measured(100, 0, 10)
REST = {"a": 50, "b": 50}
measured = st.builds(Measured, st.integers(0, 200), st.integers(0, 200), st.integers(0, 30))


def test_a_tenth_goes_from_the_slow_one_and_from_the_failing_one():
    for bad, reason in ((SLOW, "slow"), (FAILING, "errors")):
        step = steer(Shares(REST), {"a": bad, "b": GOOD}, REST, RULES, AT)
        assert (step.after.of, step.reason, step.provider) == ({"a": 40, "b": 60}, reason, "a")


def test_nothing_moves_when_all_are_slow_or_before_a_step_could_show():
    assert steer(Shares(REST), {"a": SLOW, "b": SLOW}, REST, RULES, AT).reason == ""
    moved = Shares({"a": 40, "b": 60}, AT)
    early, late = AT + timedelta(minutes=9), AT + timedelta(minutes=10)
    assert steer(moved, {"a": SLOW, "b": GOOD}, REST, RULES, early).reason == ""
    assert steer(moved, {"a": SLOW, "b": GOOD}, REST, RULES, late).after.of == {"a": 30, "b": 70}
    assert steer(moved, {"a": FAILING, "b": GOOD}, REST, RULES, AT + timedelta(minutes=1)).reason == "errors"


def test_a_just_below_fifteen_of_a_hundred_is_not_slow():
    assert steer(Shares(REST), {"a": Measured(100, 14, 9), "b": GOOD}, REST, RULES, AT).reason == ""


def test_with_time_all_drift_back_and_stay():
    shares, at = Shares({"a": 0, "b": 100}, AT), AT
    for _ in range(15):
        at += timedelta(hours=1)
        shares = steer(shares, {"a": GOOD, "b": GOOD}, REST, RULES, at).after
    assert shares.of == REST


@given(st.lists(st.tuples(measured, measured, measured, st.integers(1, 90)), max_size=30))
def test_whatever_they_do_all_of_it_is_carried_and_a_step_is_small(minutes):
    rest = resting(["a", "b", "c"])
    shares, at = Shares(rest), AT
    for a, b, c, pause in minutes:
        at += timedelta(minutes=pause)
        step = steer(shares, {"a": a, "b": b, "c": c}, rest, RULES, at)
        assert sum(step.after.of.values()) == 100
        assert all(0 <= share <= 100 for share in step.after.of.values())
        assert all(abs(step.after.of[each] - shares.of[each]) <= RULES.step for each in rest)
        assert bool(step.reason) is (step.after != shares)
        shares = step.after


def test_messages_are_shared_out_as_the_shares_say_and_each_goes_where_it_went():
    shares = {"a": 10, "b": 90}
    chosen = [choose(shares, f"n{number}") for number in range(2000)]
    assert 130 < chosen.count("a") < 270
    assert chosen == [choose(shares, f"n{number}") for number in range(2000)]
    assert choose({"a": 0, "b": 100}, "x") == "b"
