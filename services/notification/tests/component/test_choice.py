"""What people, entities and limits choose: quiet hours, digests, policies, rates; and that `Why` says so."""

from datetime import UTC, datetime, timedelta

from notification.adapters.limits import StoredLimits
from rossio.notification.v1 import notification_pb2 as n
from rossio.notification.v1 import service_pb2 as pb

from .conftest import new_id, shared
from .test_send import EVERYTHING, ready


async def test_quiet_hours_policies_and_rates_are_kept_and_why_says_so(stage, until, refused):
    stage.provider()
    program = stage.notification(RATE_RECIPIENT_AN_HOUR="3", RATE_SERVICE_A_MINUTE="12")
    program.start()
    sender = await ready(stage, program)
    eva, operator = stage.caller(program, "nt-eva"), stage.sender(program, "nt-eva", "notification.operator")
    why = stage.caller(program, "nt-ana").why
    now = datetime.now(UTC)
    clock = [(now + timedelta(hours=hours)).strftime("%H:%M") for hours in (-1, 2)]
    hours = n.QuietHours(begin=clock[0], end=clock[1], zone="Etc/UTC")
    await eva.stub.SetQuietHours(pb.SetQuietHoursRequest(request_id=new_id(), quiet_hours=hours))
    held = await eva.stub.ListPreferences(pb.ListPreferencesRequest())
    assert held.quiet_hours == hours
    decided = await why(await sender.send(o_que="x", to={"person_id": "nt-eva"}))
    sms = decided[n.CHANNEL_SMS]
    assert (sms.send, sms.held, sms.due_at.ToDatetime().strftime("%H:%M")) == (True, "quiet-hours", clock[1])
    assert decided[n.CHANNEL_EMAIL].held == ""
    for wrong, reason in (({"begin": "25:00"}, "TIME_MALFORMED"), ({"zone": "Mars/Base"}, "ZONE_UNKNOWN")):
        bad = n.QuietHours(**{"begin": "22:00", "end": "07:00", "zone": "", **wrong})
        with refused("INVALID_ARGUMENT", reason):
            await eva.stub.SetQuietHours(pb.SetQuietHoursRequest(request_id=new_id(), quiet_hours=bad))

    async def set_policy(rule: n.PolicyRule.ValueType) -> None:
        policy = n.Policy(topic=n.TOPIC_SERVICE, channel=n.CHANNEL_SMS, rule=rule)
        await operator.stub.SetPolicy(pb.SetPolicyRequest(request_id=new_id(), policy=policy))

    await set_policy(n.POLICY_RULE_NEVER)
    sms = (await why(await sender.send(o_que="x", to={"person_id": "nt-eva"})))[n.CHANNEL_SMS]
    assert (sms.send, sms.reason) == (False, "policy")
    assert [each.rule for each in (await operator.stub.GetPolicies(pb.GetPoliciesRequest())).policies] == [
        n.POLICY_RULE_NEVER
    ]
    await set_policy(n.POLICY_RULE_UNSPECIFIED)
    sent = [await why(await sender.send(o_que="x", to={"person_id": "nt-eva"})) for _ in range(2)]
    assert (sent[0][n.CHANNEL_EMAIL].held, sent[1][n.CHANNEL_EMAIL].held) == ("", "rate-limit"), "the fourth waits"
    with refused("RESOURCE_EXHAUSTED", "RATE_LIMITED"):
        for _ in range(30):  # a minute may end in between
            await sender.send(o_que="x", to={"person_id": "nt-rui"})
    with refused("INVALID_ARGUMENT", "PREFERENCE_FIXED"):
        fixed = n.Policy(topic=n.TOPIC_ALERT, channel=n.CHANNEL_SMS, rule=n.POLICY_RULE_NEVER)
        await operator.stub.SetPolicy(pb.SetPolicyRequest(request_id=new_id(), policy=fixed))
    with refused("PERMISSION_DENIED", "ROLE"):
        await stage.sender(program, "nt-rui", *EVERYTHING[:2]).stub.SetPolicy(
            pb.SetPolicyRequest(request_id=new_id(), policy=fixed)
        )


async def test_a_digest_is_one_mail_for_what_came_and_latecomers_go_alone(stage, until):
    stage.mail_routing()
    program = stage.notification(ROLES="api,react")
    program.start()
    rui = stage.caller(program, "nt-rui")
    digest = n.Digest(topic=n.TOPIC_DOCUMENT, period=n.DIGEST_PERIOD_HOURLY)
    await rui.stub.SetDigest(pb.SetDigestRequest(request_id=new_id(), digest=digest))
    await stage.tell(*(shared(f"d{index}", f"Escala {index}.pdf", person_id="nt-rui") for index in range(3)))
    items = await until(lambda: _items(rui, 3))
    decided = (await rui.why(items[0].item_id))[n.CHANNEL_EMAIL]
    assert (decided.held, decided.due_at.ToDatetime().minute) == ("digest", 0)
    documents = stage.database().collection("notifications")
    slot = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=5)
    for item in items:  # the hour is over
        found = await documents.get(item.item_id)
        dispatches = [{**each, "due_at": slot} if each.get("due_at") else each for each in found["dispatches"]]
        await documents.update(item.item_id, {"$set": {"dispatches": dispatches, "due_at": slot}})
    worker = stage.notification(ROLES="send,release", ROSSIO_KILL_AT="notification.digest.taken:1")
    worker.launch()
    await until(lambda: worker.exit_code is not None)
    worker.restart(ROSSIO_KILL_AT="")
    (mail,) = await until(lambda: stage.letters("nt-rui"))
    assert mail["Subject"] == "Resumo: 3 avisos"
    assert [f"Escala {index}.pdf" in mail.get_content() for index in range(3)] == [True] * 3

    async def told():
        each = (await rui.why(items[0].item_id))[n.CHANNEL_EMAIL]
        return (each.status, each.reason) == (n.STATUS_SUPPRESSED, "digest")

    await until(told)
    late = shared("d9", "Tarde.pdf", person_id="nt-rui")
    await stage.tell(late)
    (item, *_) = await until(lambda: _items(rui, 4))
    found = await documents.get(item.item_id)
    dispatches = [{**each, "due_at": slot} if each.get("due_at") else each for each in found["dispatches"]]
    await documents.update(item.item_id, {"$set": {"dispatches": dispatches, "due_at": slot}})
    await until(lambda: len(stage.letters("nt-rui")) == 2)
    assert {mail["Subject"] for mail in stage.letters("nt-rui")} == {
        "Resumo: 3 avisos",
        "Foi partilhado consigo: Tarde.pdf",
    }


async def _items(reader, count):
    items = await reader.inbox()
    return items if len(items) == count else None


async def test_a_counter_never_passes_its_limit_and_begins_anew_with_its_window(stage):
    limits = StoredLimits(stage.database().collection("rate_counters"))
    at, minute = datetime(2026, 11, 26, 12, 0, 30, tzinfo=UTC), timedelta(minutes=1)
    taken = [await limits.take("service/a", 3, minute, at) for _ in range(5)]
    assert taken == [None] * 3 + [datetime(2026, 11, 26, 12, 1, tzinfo=UTC)] * 2
    assert await limits.take("service/a", 3, minute, at + minute) is None
    assert await limits.take("service/b", 3, minute, at) is None
