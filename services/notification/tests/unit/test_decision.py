from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from errors import Invalid
from hypothesis import given
from hypothesis import strategies as st
from notification.domain.decision import RULES, Choice, Circumstances, Rule, decide, may_be_preferred
from notification.domain.quiet import Digest, QuietHours
from notification.domain.vocabulary import Channel, Held, Topic

AT = datetime(2026, 11, 26, 12, tzinfo=UTC)
channels = st.sampled_from(Channel)
preferences = st.dictionaries(channels, st.booleans())


@given(st.sampled_from(Topic), preferences, st.sets(channels), st.booleans())
def test_every_channel_gets_a_decision_that_its_rule_allows(topic, preferences, reachable, broadcast):
    decided = decide(topic, Choice(preferences), Circumstances(reachable, broadcast=broadcast), AT)
    assert {each.channel for each in decided} == set(Channel)
    for each in decided:
        rule = RULES[topic][each.channel]
        assert each.reason in {"forced", "never", "preference", "default", "no-address", "broadcast"}
        assert not each.send or (each.channel in reachable and rule is not Rule.NEVER)
        if rule is Rule.FORCED:
            assert each.send is (each.channel in reachable)
        elif rule is not Rule.NEVER and each.channel in preferences and each.channel in reachable:
            assert (each.send, each.reason) == (preferences[each.channel], "preference")


@pytest.mark.parametrize(
    ("topic", "channel", "broadcast", "send", "reason"),
    [
        (Topic.MAIL, Channel.IN_APP, False, True, "default"),
        (Topic.MAIL, Channel.EMAIL, False, False, "never"),
        (Topic.DOCUMENT, Channel.EMAIL, False, True, "default"),
        (Topic.DOCUMENT, Channel.EMAIL, True, False, "broadcast"),
        (Topic.DOCUMENT, Channel.IN_APP, True, True, "default"),
        (Topic.NEWS, Channel.EMAIL, True, False, "default"),
        (Topic.NEWS, Channel.SMS, True, False, "default"),
        (Topic.PRESCRIPTION, Channel.SMS, False, True, "forced"),
    ],
)
def test_without_a_preference_the_table_decides(topic, channel, broadcast, send, reason):
    decided = decide(topic, Choice(), Circumstances(set(Channel), broadcast=broadcast), AT)
    (decision,) = (each for each in decided if each.channel is channel)
    assert (decision.send, decision.reason) == (send, reason)


def test_what_leaves_no_choice_cannot_be_preferred():
    for topic, channel in ((Topic.MAIL, Channel.EMAIL), (Topic.PRESCRIPTION, Channel.SMS)):
        with pytest.raises(Invalid) as told:
            may_be_preferred(topic, channel)
        assert told.value.reason == "PREFERENCE_FIXED"
    may_be_preferred(Topic.NEWS, Channel.EMAIL)


def one(topic: Topic, channel: Channel, choice: Choice | None = None, at: datetime = AT, **there):
    circumstances = Circumstances(**{"reachable": set(Channel), **there})
    return next(each for each in decide(topic, choice or Choice(), circumstances, at) if each.channel is channel)


@pytest.mark.parametrize(
    ("there", "send", "reason"),
    [
        ({"policy": {Channel.SMS: Rule.NEVER}}, False, "policy"),
        ({"policy": {Channel.SMS: Rule.FORCED}}, True, "policy"),
        ({"policy": {Channel.SMS: Rule.ON}}, False, "preference"),
        ({"offered": {Channel.EMAIL}}, False, "no-text"),
        ({"policy": {Channel.SMS: Rule.FORCED}, "suppressed": {Channel.SMS}}, False, "suppression-list"),
    ],
)
def test_an_entity_may_force_or_forbid_and_a_default_of_its_own_gives_way_to_preferences(there, send, reason):
    decided = one(Topic.SERVICE, Channel.SMS, Choice({Channel.SMS: False}), **there)
    assert (decided.send, decided.reason) == (send, reason)
    assert one(Topic.ALERT, Channel.SMS, policy={Channel.SMS: Rule.NEVER}).send, "nobody forbids an alert"


NIGHT = QuietHours(time(22), time(7))


@pytest.mark.parametrize(
    ("at", "until"),
    [
        ("2026-11-26T23:00+00:00", "2026-11-27T07:00+00:00"),
        ("2026-11-26T06:59+00:00", "2026-11-26T07:00+00:00"),
        ("2026-11-26T07:00+00:00", None),
        ("2026-11-26T12:00+00:00", None),
        # 29 March: the night has an hour less; 25 October: one more.
        ("2026-03-28T23:30+00:00", "2026-03-29T06:00+00:00"),
        ("2026-10-24T22:30+00:00", "2026-10-25T07:00+00:00"),
    ],
)
def test_quiet_hours_end_by_the_clock_on_the_wall(at, until):
    decided = one(Topic.SERVICE, Channel.SMS, Choice(quiet=NIGHT), datetime.fromisoformat(at))
    assert decided.due_at == (until and datetime.fromisoformat(until))
    assert decided.held is (Held.QUIET if until else Held.NOT)


def test_an_end_that_the_clock_shows_twice_is_the_first_that_has_not_passed_and_a_skipped_one_ends():
    zone = ZoneInfo("Europe/Lisbon")
    hours = QuietHours(time(23), time(1, 30))
    first, second = datetime(2026, 10, 25, 0, 30, tzinfo=UTC), datetime(2026, 10, 25, 1, 30, tzinfo=UTC)
    assert hours.until(datetime(2026, 10, 24, 23, 0, tzinfo=UTC), zone) == first
    assert hours.until(first + timedelta(minutes=35), zone) == second
    assert hours.until(datetime(2026, 3, 28, 23, 30, tzinfo=UTC), zone) == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)


@given(
    st.integers(0, 365 * 24 * 60).map(lambda minutes: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)),
    st.times(),
    st.times(),
    st.sampled_from(["Europe/Lisbon", "Atlantic/Azores", "America/New_York", "Asia/Kolkata", "Pacific/Apia"]),
)
def test_quiet_hours_end_after_the_time_asked_and_within_a_day(at, begin, end, zone):
    until = QuietHours(begin, end).until(at, ZoneInfo(zone))
    assert until is None or at < until <= at + timedelta(hours=25)


def test_alerts_and_what_is_silent_know_no_quiet_hours_and_no_digest():
    late = datetime(2026, 11, 26, 23, tzinfo=UTC)
    choice = Choice(quiet=NIGHT, digest=Digest.DAILY)
    assert one(Topic.ALERT, Channel.SMS, choice, late).held is Held.NOT
    assert one(Topic.SERVICE, Channel.IN_APP, choice, late).held is Held.NOT
    mail = one(Topic.SERVICE, Channel.EMAIL, choice, late)
    assert (mail.held, mail.due_at) == (Held.DIGEST, datetime(2026, 11, 27, 8, tzinfo=UTC))
    hourly = one(Topic.SERVICE, Channel.EMAIL, Choice(digest=Digest.HOURLY), late + timedelta(minutes=5))
    assert hourly.due_at == late + timedelta(hours=1)


def test_what_is_held_longest_says_why_and_what_is_scheduled_into_the_night_waits_for_the_morning():
    evening = datetime(2026, 11, 27, 23, tzinfo=UTC)
    decided = one(Topic.SERVICE, Channel.SMS, Choice(quiet=NIGHT), not_before=evening)
    assert (decided.held, decided.due_at) == (Held.QUIET, datetime(2026, 11, 28, 7, tzinfo=UTC))
    decided = one(Topic.SERVICE, Channel.EMAIL, Choice(quiet=NIGHT), not_before=evening)
    assert (decided.held, decided.due_at) == (Held.SCHEDULED, evening)
    decided = one(Topic.ALERT, Channel.SMS, not_before=evening)
    assert (decided.held, decided.due_at) == (Held.SCHEDULED, evening)
    decided = one(Topic.SERVICE, Channel.SMS, limited_until=AT + timedelta(minutes=9))
    assert decided.held is Held.RATE
