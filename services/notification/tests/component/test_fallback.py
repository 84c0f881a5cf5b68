"""One channel after the other: when one fails, when its turn is over, and once, whatever dies."""

from datetime import timedelta

import pytest
from rossio.notification.v1 import notification_pb2 as n

from .conftest import Stage
from .test_send import EVERYTHING, ready

ORDER = [n.CHANNEL_SMS, n.CHANNEL_EMAIL]
TO = {"mobile": "+351912345678", "email": "nt-nuno@nt-b.test"}


async def test_without_a_receipt_in_time_the_next_channel_is_tried_once_whatever_dies(stage, until):
    stage.mail_routing()
    stage.provider("--receipt-ms", "600000")
    program = stage.notification(ROSSIO_KILL_AT="notification.releasing")
    program.start()
    sender = await ready(stage, program)
    turn = timedelta(seconds=2)
    sent = await sender.send(o_que="x", to=TO, channels=ORDER, fallback=True, fallback_after=turn)
    first = (await stage.caller(program, "nt-ana").why(sent))[n.CHANNEL_SMS]
    assert first.HasField("falls_back_at")
    await until(lambda: stage.noted("taken"))
    for following in ("notification.released", ""):
        await until(lambda: program.exit_code is not None)
        program.settings["ROSSIO_KILL_AT"] = following
        program.launch()
        await until(lambda: program.exit_code is not None or program.ready())
    why = stage.caller(program, "nt-ana").why
    await until(lambda: _has(why, sent, n.CHANNEL_EMAIL, n.STATUS_DELIVERED), 150)
    assert (await why(sent))[n.CHANNEL_SMS].status == n.STATUS_SENT, "its receipt may still come"
    again = await stage.sender(program, "nt-ana", *EVERYTHING).send(o_que="y", to=TO, channels=[n.CHANNEL_EMAIL])
    await until(lambda: _has(why, again, n.CHANNEL_EMAIL, n.STATUS_DELIVERED))
    assert len(stage.letters("nt-nuno")) == 2
    assert len(stage.noted("taken")) == 1


def over_http(stage: Stage) -> dict[str, str]:
    """Nobody listens at its port: the provider of the stage is not started."""
    return {"SMS_PROVIDER_URL": f"http://127.0.0.1:{stage.sms.port}"}


def over_smpp(stage: Stage) -> dict[str, str]:
    return {"SMS_OVER_HTTP": "false", "SMPP_ADDRESS": f"127.0.0.1:{stage.sms.port}"}


@pytest.mark.parametrize("provider", [over_http, over_smpp])
async def test_behind_a_provider_that_is_closed_the_next_channel_is_tried_and_without_one_it_is_given_up(
    stage, until, provider
):
    stage.mail_routing()
    program = stage.notification(**provider(stage), FALLBACK_AFTER="PT2S")
    program.start()
    sender = await ready(stage, program)
    why = stage.caller(program, "nt-ana").why
    alone = await sender.send(o_que="x", to=TO, channels=[n.CHANNEL_SMS], expires_in=timedelta(seconds=4))
    followed = await sender.send(o_que="y", to=TO, channels=ORDER, fallback=True)
    # Whose time is over before the first channel has had its turn: each has its half of it.
    hurried = await sender.send(
        o_que="z",
        to=TO,
        channels=ORDER,
        fallback=True,
        fallback_after=timedelta(hours=1),
        expires_in=timedelta(seconds=8),
    )
    await until(lambda: _put_off(why, alone))
    for each in (followed, hurried):
        await until(lambda each=each: _has(why, each, n.CHANNEL_EMAIL, n.STATUS_DELIVERED))
        given_up = (await why(each))[n.CHANNEL_SMS]
        assert (given_up.status, given_up.reason) == (n.STATUS_FAILED, "not-in-time")
    await until(lambda: _has(why, alone, n.CHANNEL_SMS, n.STATUS_FAILED))
    assert (await why(alone))[n.CHANNEL_SMS].reason == "expired"
    assert len(stage.letters("nt-nuno")) == 2
    stored = [each async for each in stage.database().collection("notifications").find({})]
    assert [each for each in stored if "open_until" in each or "due_at" in each or each["sealed"]] == []


async def _has(why, notification_id, channel, status):
    return (await why(notification_id))[channel].status == status


async def _put_off(why, notification_id):
    each = (await why(notification_id))[n.CHANNEL_SMS]
    return each.held == "retry" and each.attempts >= 2
