"""Several providers of SMS: one over SMPP beside one over HTTP, shares that follow what they do, and no SMS twice."""

from collections import Counter

from rossio.notification.v1 import notification_pb2 as n
from rossio.notification.v1 import service_pb2 as pb

from .test_prescription import metrics
from .test_send import EVERYTHING, ready

SMS = [n.CHANNEL_SMS]
OUTCOMES = ("taken", "repeated", "early")


async def test_messages_go_over_both_and_away_from_the_one_that_fails_and_the_log_says_why(stage, until):
    stage.message_centre("--receipt-ms", "20")
    stage.provider("--refuse", "1", "--receipt-ms", "20")
    program = stage.notification(
        STEER_EVERY="PT0.5S", PROVIDER_COOL_DOWN="PT1S", PROVIDER_ERRORS_A_MINUTE="3", RATE_RECIPIENT_AN_HOUR="0"
    )
    program.start()
    sender = await ready(stage, program)
    await until(lambda: stage.heard("bound"))
    sent = [
        await sender.send(o_que=f"n. {index} ção", to={"mobile": f"+35191234{index:04}"}, channels=SMS)
        for index in range(40)
    ]
    why = stage.caller(program, "nt-ana").why

    async def all_arrived():
        return all([(await why(each))[n.CHANNEL_SMS].status == n.STATUS_DELIVERED for each in sent])

    await until(all_arrived)
    assert Counter(said["text"] for said in stage.heard("taken")) == Counter(f"SNS: n. {i} ção" for i in range(40))
    assert not stage.noted("taken")
    long = await sender.send(o_que="x" * 400, to={"mobile": "+351912345678"}, channels=SMS)
    await until(lambda: _has(why, long, n.STATUS_DELIVERED))
    stored = await stage.database().collection("notifications").get(long)
    assert len(stored["sms_id"]) == 3
    assert {said["id"] for said in stage.heard("receipt")} >= set(stored["sms_id"]), "all parts have arrived"
    assert {(await why(each))[n.CHANNEL_SMS].provider for each in sent} == {"sms-smpp"}
    operator = stage.sender(program, "nt-rui", "notification.operator", *EVERYTHING)

    async def stepped():
        return (await operator.stub.GetProviderSteps(pb.GetProviderStepsRequest())).steps

    steps = await until(stepped)
    assert {(step.reason, step.provider, step.replays) for step in steps} == {("errors", "sms-http", True)}
    assert (steps[-1].before["sms-http"], steps[-1].after["sms-http"]) == (50, 40)


async def test_a_message_centre_that_dies_with_a_message_is_not_given_it_again(stage, until):
    stage.message_centre("--latency-ms", "0", "--receipt-ms", "20")
    program = stage.notification(SMS_OVER_HTTP="false")
    program.start()
    sender = await ready(stage, program)
    why = stage.caller(program, "nt-ana").why
    await until(lambda: stage.heard("bound"))
    arrived = await sender.send(o_que="x", to={"mobile": "+351912345678"}, channels=SMS)
    await until(lambda: _has(why, arrived, n.STATUS_DELIVERED))
    for point in ("notification.submission.recorded", "notification.submitted"):
        program.stop()
        taken = len(stage.heard("taken"))
        program.settings["ROSSIO_KILL_AT"] = point
        program.start()
        heard = len(stage.heard("bound"))
        await until(lambda heard=heard: stage.heard("bound")[heard - 1 :])
        sender = stage.sender(program, "nt-ana", *EVERYTHING)
        doubtful = await sender.send(o_que=point, to={"mobile": "+351912345678"}, channels=SMS)
        await until(lambda: program.exit_code is not None)
        program.restart(ROSSIO_KILL_AT="")
        why = stage.caller(program, "nt-ana").why
        # The group has to find out that its member died.
        await until(lambda doubtful=doubtful, why=why: _unconfirmed(why, doubtful), 150)
        assert len(stage.heard("taken")) == taken + (point == "notification.submitted")


async def test_receipts_over_smpp_that_are_early_twice_and_contrary_are_believed_once_and_counted(stage, until):
    stage.message_centre("--latency-ms", "0", "--answer-ms", "300", "--receipt-ms", "1", "--repeat-receipt", "1")
    program = stage.notification(SMS_OVER_HTTP="false", STEER_EVERY="PT0.2S")
    program.start()
    sender = await ready(stage, program)
    await until(lambda: stage.heard("bound"))
    sent = [
        await sender.send(o_que=f"n. {each}", to={"mobile": f"+35191234567{each}"}, channels=SMS) for each in range(3)
    ]
    await until(lambda: len(stage.heard("receipt")) == 9)
    why = stage.caller(program, "nt-ana").why
    for each in sent:
        await until(lambda each=each: _has(why, each, n.STATUS_DELIVERED))
    counts = metrics(program)
    done = {each: counts[f'rossio_notification_receipts_total{{channel="sms",outcome="{each}"}}'] for each in OUTCOMES}
    assert (done["taken"], done["repeated"]) == (3, 6)
    assert done["early"] >= 1, "one was faster than our own note, and came again"
    stored = [each async for each in stage.database().collection("notifications").find({})]
    assert [each for each in stored if "open_until" in each] == []

    async def counted():
        """All that was sent had its receipt in time, which is what slowness is judged by."""
        minutes = [each async for each in stage.database().collection("provider_minutes").find({})]
        return [sum(each.get(what, 0) for each in minutes) for what in ("sent", "receipted")] == [3, 3]

    await until(counted)


async def _has(why, notification_id, status):
    return (await why(notification_id))[n.CHANNEL_SMS].status == status


async def _unconfirmed(why, notification_id):
    each = (await why(notification_id))[n.CHANNEL_SMS]
    return (each.status, each.reason) == (n.STATUS_SENT, "unconfirmed")
