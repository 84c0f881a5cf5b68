from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st
from notification.domain.decision import decide
from notification.domain.notification import Dispatch, Notification
from notification.domain.vocabulary import Channel, Lane, Status, Topic

AT = datetime(2026, 11, 24, 9, tzinfo=UTC)
WAY = [Status.PENDING, Status.SENT, Status.DELIVERED, Status.FAILED, Status.SUPPRESSED]


def notification() -> Notification:
    decisions = decide(Topic.PRESCRIPTION, preferences={}, reachable={Channel.SMS})
    return Notification(
        notification_id="n1",
        key="k1",
        topic=Topic.PRESCRIPTION,
        lane=Lane.TRANSACTIONAL,
        entity_id="e01",
        person_id="",
        requested_by="ana",
        titles={},
        subject_id="",
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
    "read": lambda n, _: n.marked_read(),
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
        assert now.attempts == was.attempts + (step == "submitting")
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
