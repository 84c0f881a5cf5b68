from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st
from notification.domain import backoff
from notification.domain.decision import Choice, Circumstances, decide
from notification.domain.notification import Dispatch, Notification
from notification.domain.vocabulary import Channel, Lane, Status, Topic

AT = datetime(2026, 11, 24, 9, tzinfo=UTC)
WAY = [Status.PENDING, Status.SENT, Status.DELIVERED, Status.FAILED, Status.SUPPRESSED]


def notification() -> Notification:
    decisions = decide(Topic.PRESCRIPTION, Choice(), Circumstances({Channel.SMS}), AT)
    return Notification(
        notification_id="n1",
        key="k1",
        topic=Topic.PRESCRIPTION,
        lane=Lane.TRANSACTIONAL,
        entity_id="e01",
        person_id="",
        requested_by="ana",
        at=AT,
        expires_at=AT + timedelta(hours=1),
        kept_until=AT + timedelta(days=1),
        dispatches=tuple(Dispatch.of(each, AT) for each in decisions),
    )


def sms(state: Notification) -> Dispatch:
    dispatch = state.on(Channel.SMS)
    assert dispatch is not None
    return dispatch


STEPS = {
    "submitting": lambda n, at: n.submitting(Channel.SMS, "sms-http", at),
    "submitted": lambda n, at: n.submitted(Channel.SMS, "sms-1", at),
    "delivered": lambda n, at: n.ended(Channel.SMS, Status.DELIVERED, at),
    "failed": lambda n, at: n.ended(Channel.SMS, Status.FAILED, at, "undelivered"),
    "expired": lambda n, at: n.expired(at),
}


@given(st.lists(st.sampled_from(sorted(STEPS)), max_size=12))
def test_in_whatever_order_things_come_a_status_never_goes_back_and_the_first_end_holds(steps):
    state, ends = notification(), []
    for number, step in enumerate(steps, start=1):
        before, state = state, STEPS[step](state, AT + timedelta(minutes=number))
        was, now = sms(before), sms(state)
        assert now.status == was.status or (not was.status.final and WAY.index(now.status) > WAY.index(was.status))
        if now.status.final:
            ends.append((now.status, now.reason))
        assert now.attempts == was.attempts + (step == "submitting" and was.status is Status.PENDING)
        assert state.on(Channel.EMAIL) == notification().on(Channel.EMAIL), "the other channel is not touched"
    assert len(set(ends)) <= 1
    assert state.open is not (bool(ends) or "expired" in steps)


def test_a_receipt_that_is_faster_than_our_note_holds():
    early = notification().ended(Channel.SMS, Status.DELIVERED, AT)
    noted = sms(early.submitted(Channel.SMS, "sms-1", AT + timedelta(seconds=1)))
    assert (noted.status, noted.reference, noted.at) == (Status.DELIVERED, "sms-1", AT)


def test_what_was_handed_over_does_not_fail_by_expiry():
    sent = notification().submitted(Channel.SMS, "sms-1", AT)
    assert sms(sent.expired(AT)).status is Status.SENT
    unsent = sms(notification().expired(AT))
    assert (unsent.status, unsent.reason) == (Status.FAILED, "expired")
    assert not notification().in_inbox


def following() -> Notification:
    """E-mail first, SMS when that fails."""
    there = Circumstances({Channel.EMAIL, Channel.SMS}, order=[Channel.EMAIL, Channel.SMS])
    decisions = decide(Topic.SERVICE, Choice(), there, AT)
    return replace(notification(), topic=Topic.SERVICE, dispatches=tuple(Dispatch.of(each, AT) for each in decisions))


def test_the_next_channel_goes_when_the_first_has_failed_and_only_then():
    begun = following()
    assert not sms(begun).ready
    assert sms(begun).after is Channel.EMAIL
    failed = begun.submitting(Channel.EMAIL, "mail", AT).ended(Channel.EMAIL, Status.FAILED, AT, "undelivered")
    assert sms(failed).ready
    arrived = begun.submitted(Channel.EMAIL, "m1", AT).ended(Channel.EMAIL, Status.DELIVERED, AT)
    assert (sms(arrived).status, sms(arrived).reason) == (Status.SUPPRESSED, "not-needed")
    assert not sms(begun.released(AT + timedelta(days=1))).ready
    assert {each.status for each in begun.expired(AT).dispatches if each.send} == {Status.FAILED}


def test_when_the_first_of_three_arrives_none_of_the_others_is_needed():
    order = [Channel.EMAIL, Channel.SMS, Channel.PUSH]
    decisions = decide(Topic.SERVICE, Choice(), Circumstances(set(order), order=order), AT)
    begun = replace(notification(), topic=Topic.SERVICE, dispatches=tuple(Dispatch.of(each, AT) for each in decisions))
    arrived = begun.ended(Channel.EMAIL, Status.DELIVERED, AT)
    assert {each.status for each in arrived.dispatches if each.channel in order[1:]} == {Status.SUPPRESSED}
    failed = begun.ended(Channel.EMAIL, Status.FAILED, AT).ended(Channel.SMS, Status.FAILED, AT)
    push = failed.on(Channel.PUSH)
    assert push is not None
    assert push.ready


TURN = timedelta(minutes=5)


def taking_turns(*order: Channel) -> Notification:
    decisions = decide(Topic.SERVICE, Choice(), Circumstances(set(order), order=order), AT)
    dispatches = tuple(Dispatch.of(each, AT) for each in decisions)
    return replace(notification(), topic=Topic.SERVICE, dispatches=dispatches).taking_turns(TURN, AT)


def on(state: Notification, channel: Channel) -> Dispatch:
    dispatch = state.on(channel)
    assert dispatch is not None
    return dispatch


def test_the_next_channel_goes_when_the_turn_of_the_first_is_over_and_only_once():
    sent = taking_turns(Channel.EMAIL, Channel.SMS, Channel.PUSH).submitted(Channel.EMAIL, "m1", AT)
    assert sent.due_at == AT + TURN
    assert sent.released(AT + TURN - timedelta(seconds=1)) == sent
    late = sent.released(AT + TURN)
    assert (on(late, Channel.EMAIL).status, sms(late).ready) == (Status.SENT, True)
    assert (late.due_at, sms(late).at) == (AT + 2 * TURN, AT + TURN), "the next one has a turn of its own"
    assert on(late, Channel.PUSH).after is Channel.SMS
    assert late.released(AT + TURN) == late
    bounced = late.ended(Channel.EMAIL, Status.FAILED, AT + TURN, "undelivered")
    assert on(bounced, Channel.PUSH) == on(late, Channel.PUSH), "the first has had its turn"
    arrived = late.ended(Channel.EMAIL, Status.DELIVERED, AT + TURN)
    assert (on(arrived, Channel.PUSH).status, arrived.due_at) == (Status.SUPPRESSED, None), "a late receipt is believed"
    last = late.released(AT + 2 * TURN)
    assert (on(last, Channel.PUSH).ready, last.due_at) == (True, None), "behind the last there is none"
    assert on(late.expired(AT + TURN), Channel.PUSH).status is Status.FAILED


def test_a_channel_that_nobody_takes_is_given_up_with_its_turn_and_one_that_may_have_gone_is_not():
    begun = taking_turns(Channel.EMAIL, Channel.SMS)
    put_off = begun.submitting(Channel.EMAIL, "mail", AT).deferred(Channel.EMAIL, AT + 2 * TURN, taken=False)
    given_up = put_off.released(AT + TURN)
    assert (on(given_up, Channel.EMAIL).status, on(given_up, Channel.EMAIL).reason) == (Status.FAILED, "not-in-time")
    assert sms(given_up).ready
    assert given_up.submitting(Channel.EMAIL, "mail", AT + TURN) == given_up, (
        "who was about to send it finds it given up"
    )
    doubtful = begun.submitting(Channel.EMAIL, "mail", AT).released(AT + TURN)
    assert (on(doubtful, Channel.EMAIL).status, sms(doubtful).ready) == (Status.PENDING, True)


def test_a_turn_begins_when_the_channel_may_go_and_behind_the_inbox_nothing_is_needed():
    later = AT + timedelta(hours=1)
    there = Circumstances({Channel.EMAIL, Channel.SMS}, order=[Channel.EMAIL, Channel.SMS], not_before=later)
    dispatches = tuple(Dispatch.of(each, AT) for each in decide(Topic.SERVICE, Choice(), there, AT))
    scheduled = replace(notification(), dispatches=dispatches).taking_turns(TURN, AT)
    assert on(scheduled, Channel.EMAIL).falls_back_at == later + TURN
    assert scheduled.due_at == later
    inbox = taking_turns(Channel.IN_APP, Channel.SMS)
    assert (sms(inbox).status, sms(inbox).reason, inbox.open) == (Status.SUPPRESSED, "not-needed", False)


def test_what_is_put_off_waits_for_its_time_and_knows_whether_a_provider_may_have_it():
    tried = notification().submitting(Channel.SMS, "sms-http", AT)
    assert sms(tried).in_doubt
    assert sms(tried).ready, "a process that died leaves it to the next one"
    later = AT + timedelta(seconds=5)
    put_off = tried.deferred(Channel.SMS, later, taken=False)
    assert (sms(put_off).ready, sms(put_off).in_doubt, put_off.due_at) == (False, False, later)
    assert put_off.released(AT) == put_off
    assert sms(put_off.released(later)).ready
    assert sms(tried.deferred(Channel.SMS, later, taken=True).released(later)).in_doubt
    assert not sms(tried.submitted(Channel.SMS, "s1", AT)).in_doubt


@given(st.integers(1, 200), st.floats(0, 1))
def test_pauses_grow_to_ten_minutes_and_never_all_end_at_once(attempts, chance):
    longest = min(timedelta(minutes=10), timedelta(seconds=2.0 ** min(attempts - 1, 20)))
    assert longest / 2 <= backoff.pause(attempts, chance) <= longest


@given(st.lists(st.sampled_from(sorted(STEPS)), max_size=12))
def test_what_was_sealed_goes_with_the_end_or_the_time_of_its_channel_and_the_inbox_keeps_its_own(steps):
    state = notification().with_sealed({Channel.SMS: b"codes", Channel.IN_APP: b"title"})
    for number, step in enumerate(steps, start=1):
        state = STEPS[step](state, AT + timedelta(minutes=number))
        assert state.sealed[Channel.IN_APP] == b"title"
        assert (Channel.SMS in state.sealed) == (not sms(state).status.final and "expired" not in steps[:number])


@given(st.lists(st.tuples(st.sampled_from("abc"), st.booleans()), max_size=8))
def test_a_message_of_several_parts_has_arrived_with_the_last_of_them_and_failed_with_one(receipts):
    state = notification().submitting(Channel.SMS, "sms-smpp", AT).submitted(Channel.SMS, "a b c", AT)
    arrived: set[str] = set()
    expected = Status.SENT
    for number, (part, delivered) in enumerate(receipts, start=1):
        state = state.receipted(Channel.SMS, delivered, AT + timedelta(minutes=number), part)
        if delivered:
            arrived.add(part)
        if expected is Status.SENT and not delivered:
            expected = Status.FAILED
        if expected is Status.SENT and arrived == {"a", "b", "c"}:
            expected = Status.DELIVERED
        assert sms(state).status is expected


def test_a_receipt_of_a_message_in_one_part_or_of_a_provider_that_names_none_is_its_end():
    for reference, part in (("a", "a"), ("sms-1", ""), ("a b", "")):
        state = notification().submitting(Channel.SMS, "sms", AT).submitted(Channel.SMS, reference, AT)
        assert sms(state.receipted(Channel.SMS, True, AT, part)).status is Status.DELIVERED
