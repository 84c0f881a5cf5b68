"""Messages by template: written, approved, sent once, put off and given up, followed, and ended by one click."""

import asyncio
import http.client
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import grpc
from rossio.notification.v1 import notification_pb2 as n
from rossio.notification.v1 import service_pb2 as pb
from rossio.notification.v1 import template_pb2 as t
from testkit.sms_provider import SECRET

from .conftest import Sender, new_id

EVERYTHING = ("notification.sender", "notification.author", "notification.operator")
SECRET_WORD = "Hipertireoidismo"


def template(name: str = "consulta", **said) -> pb.PutTemplateRequest:
    texts = said.pop("texts", None) or [
        t.TemplateText(locale="pt-PT", title="Consulta: ((o_que))", mail="Olá,\n\né ((o_que)).", sms="SNS: ((o_que))"),
        t.TemplateText(locale="en", title="Visit: ((o_que))", mail="Hello,\n\n((o_que)).", sms="NHS: ((o_que))"),
    ]
    return pb.PutTemplateRequest(
        request_id=new_id(),
        name=name,
        topic=said.get("topic", n.TOPIC_SERVICE),
        variables=[t.Variable(name="o_que", kind=t.VARIABLE_KIND_TEXT)],
        texts=texts,
    )


async def ready(stage, program, name: str = "consulta", **said) -> Sender:
    """Somebody who sends, when their template is written and approved by another."""
    sender = stage.sender(program, "nt-ana", *EVERYTHING, *said.pop("roles", ()))
    version = (await sender.stub.PutTemplate(template(name, **said))).template.version
    approve = pb.ApproveTemplateRequest(request_id=new_id(), name=name, version=version)
    await stage.sender(program, "nt-rui", "notification.approver").stub.ApproveTemplate(approve)
    assert isinstance(sender, Sender)
    return sender


async def test_templates_are_versions_that_another_one_approves_and_a_preview_says_what_they_cost(stage, refused):
    program = stage.notification(ROLES="api", SMS_WORDS='["Valium"]')
    program.start()
    author = stage.sender(program, "nt-ana", *EVERYTHING, "notification.approver")
    reviewer = stage.sender(program, "nt-rui", "notification.approver", "notification.sender")
    stranger = stage.sender(program, "nt-eva", *EVERYTHING, "notification.approver")
    first = template()
    assert (await author.stub.PutTemplate(first)).template.version == 1
    assert (await author.stub.PutTemplate(first)).template.version == 1, "a repeated request is the same"
    with refused("NOT_FOUND", "TEMPLATE_NOT_FOUND"):
        await author.send(o_que="x", to={"person_id": "nt-rui"})
    approve = pb.ApproveTemplateRequest(request_id=new_id(), name="consulta", version=1)
    with refused("PERMISSION_DENIED", "OWN_TEMPLATE"):
        await author.stub.ApproveTemplate(approve)
    with refused("NOT_FOUND", "TEMPLATE_NOT_FOUND"):
        await stranger.stub.ApproveTemplate(approve)
    assert (await reviewer.stub.ApproveTemplate(approve)).template.state == t.TEMPLATE_STATE_APPROVED
    assert (await author.stub.PutTemplate(template())).template.version == 2
    pages, token = [], ""
    while True:
        page = await reviewer.stub.ListTemplates(pb.ListTemplatesRequest(page_size=1, page_token=token))
        pages += [(each.name, each.version, each.state) for each in page.templates]
        token = page.next_page_token
        if not token:
            break
    assert pages == [("consulta", 1, t.TEMPLATE_STATE_APPROVED), ("consulta", 2, t.TEMPLATE_STATE_DRAFT)]
    assert not (await stranger.stub.ListTemplates(pb.ListTemplatesRequest())).templates
    shown = await reviewer.preview(o_que="<b>análises</b> de ferritina", locale="pt")
    assert shown.title == "Consulta: <b>análises</b> de ferritina"
    assert "&lt;b&gt;" in shown.html
    assert (shown.sms_report.encoding, shown.sms_report.segments, shown.sms_report.cost_millis) == ("ucs-2", 1, 45)
    assert (await reviewer.preview(o_que="valium", locale="en")).sms_report.problems == ["SMS_WORD_FORBIDDEN"]
    for wrong, reason in (
        (template(topic=n.TOPIC_MAIL), "TOPIC_NOT_FOR_TEMPLATES"),
        (template(texts=[t.TemplateText(locale="pt", title="((x))")]), "VARIABLE_UNDECLARED"),
        (template(texts=[t.TemplateText(locale="pt", title="x", sms="compre Valium")]), "SMS_WORD_FORBIDDEN"),
    ):
        with refused("INVALID_ARGUMENT", reason):
            await author.stub.PutTemplate(wrong)


async def test_a_message_goes_out_once_on_every_channel_and_its_sender_sees_it_arrive(stage, until):
    stage.mail_routing()
    stage.provider()
    program = stage.notification()
    program.start()
    sender = await ready(stage, program)
    seen: list[pb.WatchStatusesResponse] = []
    watching = asyncio.create_task(sender.watch(seen))
    request_id = new_id()
    said: dict[str, Any] = {"o_que": SECRET_WORD, "to": {"person_id": "nt-eva"}, "reference": "episode-7"}
    notification_id = await sender.send(request_id, **said)
    assert await sender.send(request_id, **said) == notification_id
    reader = stage.caller(program, "nt-ana")

    async def arrived():
        return all(
            each.status == n.STATUS_DELIVERED for each in (await reader.why(notification_id)).values() if each.send
        )

    await until(arrived)
    (mail,) = stage.letters("nt-eva")
    assert mail["Subject"] == f"Visit: {SECRET_WORD}"
    assert [part.get_content_type() for part in mail.iter_parts()] == ["text/plain", "text/html"]
    (sms,) = stage.noted("taken")
    assert sms["text"] == f"NHS: {SECRET_WORD}"
    assert await stage.caller(program, "nt-eva").titles() == [f"Visit: {SECRET_WORD}"]
    sent = {n.CHANNEL_EMAIL, n.CHANNEL_SMS, n.CHANNEL_IN_APP}
    await until(lambda: {each.status.channel for each in seen if each.status.status == n.STATUS_DELIVERED} >= sent)
    assert {each.reference for each in seen} == {"episode-7"}
    watching.cancel()
    again: list[pb.WatchStatusesResponse] = []
    resumed = asyncio.create_task(sender.watch(again, after=seen[0].cursor))
    await until(lambda: {each.status.channel for each in again} >= sent)
    resumed.cancel()
    other: list[pb.WatchStatusesResponse] = []
    nobody = asyncio.create_task(stage.sender(program, "nt-eva", *EVERYTHING).watch(other, after="0"))
    await sender.send(**said)
    await until(lambda: stage.noted("taken")[1:])
    nobody.cancel()
    assert other == []


async def test_what_no_provider_takes_is_put_off_and_goes_when_it_does_and_bad_input_is_named(stage, until, refused):
    program = stage.notification(UNSUBSCRIBE_URL="https://avisos.test")
    program.start()
    sender = await ready(stage, program)
    waiting = await sender.send(o_que="x", to={"mobile": "+351912345678"}, channels=[n.CHANNEL_SMS])
    why = stage.caller(program, "nt-ana").why

    async def put_off():
        each = (await why(waiting))[n.CHANNEL_SMS]
        return each.held == "retry" and each.attempts >= 2 and each.HasField("due_at")

    await until(put_off)
    stage.provider()
    await until(lambda: stage.noted("taken"))
    later = datetime.now(UTC) + timedelta(seconds=2)
    scheduled = await sender.send(o_que="y", to={"mobile": "+351912345679"}, send_at=later, channels=[n.CHANNEL_SMS])
    assert (await why(scheduled))[n.CHANNEL_SMS].held == "scheduled"
    await until(lambda: len(stage.noted("taken")) == 2)
    assert datetime.fromisoformat(stage.noted("taken")[1]["noted_at"]) >= later
    wrongs: tuple[tuple[dict[str, Any], str, str], ...] = (
        ({"template": "nothing"}, "NOT_FOUND", "TEMPLATE_NOT_FOUND"),
        ({"to": {"person_id": "nobody"}}, "NOT_FOUND", "PERSON_NOT_FOUND"),
        ({"to": {}}, "INVALID_ARGUMENT", "RECIPIENT_MISSING"),
        ({"to": {"person_id": "nt-rui", "email": "a@b.test"}}, "INVALID_ARGUMENT", "RECIPIENT_AMBIGUOUS"),
        ({"to": {"mobile": "+351212345678"}}, "INVALID_ARGUMENT", "NUMBER_NOT_MOBILE"),
        ({"to": {"mobile": "+34612345678"}}, "INVALID_ARGUMENT", "NUMBER_FOREIGN"),
        ({"to": {"mobile": "912345678"}}, "INVALID_ARGUMENT", "INVALID_FIELD"),
        ({"o_que": ""}, "INVALID_ARGUMENT", "VARIABLE_MALFORMED"),
        ({"o_que": "x\ny"}, "INVALID_ARGUMENT", "VARIABLE_MALFORMED"),
        ({"outra": "x"}, "INVALID_ARGUMENT", "VARIABLE_UNKNOWN"),
        ({"o_que": "x" * 999, "to": {"mobile": "+351912345678"}}, "INVALID_ARGUMENT", "SMS_TOO_LONG"),
        ({"lane": n.LANE_EMERGENCY}, "PERMISSION_DENIED", "EMERGENCY_NOT_ALLOWED"),
        ({"fallback": True}, "INVALID_ARGUMENT", "FALLBACK_WITHOUT_CHANNELS"),
    )
    for wrong, code, reason in wrongs:
        with refused(code, reason):
            await sender.send(**{"o_que": "x", "to": {"person_id": "nt-rui"}, **wrong})
    with refused("INVALID_ARGUMENT", "VARIABLE_MISSING"):
        await sender.send(to={"person_id": "nt-rui"})
    await ready(stage, program, "longa", texts=[t.TemplateText(locale="pt", title="x", mail="((o_que)) " * 300)])
    await ready(stage, program, "titulo", texts=[t.TemplateText(locale="pt", title="((o_que))" * 3)])
    for name, reason in (("longa", "MAIL_TOO_LONG"), ("titulo", "TITLE_TOO_LONG")):
        with refused("INVALID_ARGUMENT", reason):
            await sender.send(template=name, o_que="x" * 1000, to={"person_id": "nt-rui"})
    with refused("INVALID_ARGUMENT", "INVALID_FIELD"):
        await sender.stub.PutTemplate(template(texts=[t.TemplateText(locale="pt", title="x", mail="x" * 100_001)]))
    script = await sender.send(
        o_que="<script>alert(1)</script>", to={"person_id": "nt-rui"}, channels=[n.CHANNEL_IN_APP]
    )
    assert (await why(script))[n.CHANNEL_IN_APP].status == n.STATUS_DELIVERED
    assert await stage.caller(program, "nt-rui").titles() == ["Consulta: <script>alert(1)</script>"], "words, no more"


async def test_with_a_test_key_and_to_simulated_recipients_nothing_goes_out_and_all_can_happen(stage, until):
    stage.provider()
    program = stage.notification(SEND_WITHIN="PT20S")
    program.start()
    sender = await ready(stage, program)
    test_key = stage.sender(program, "nt-ana", "notification.sender", "notification.test")
    why = stage.caller(program, "nt-ana").why
    sent = {
        await test_key.send(o_que="x", to={"mobile": "+351912345678"}): (n.CHANNEL_SMS, n.STATUS_DELIVERED),
        await test_key.send(o_que="x", to={"person_id": "nt-rui"}): (n.CHANNEL_EMAIL, n.STATUS_DELIVERED),
        await sender.send(o_que="x", to={"mobile": "+351919999001"}): (n.CHANNEL_SMS, n.STATUS_DELIVERED),
        await sender.send(o_que="x", to={"email": "bounced@simulated.invalid"}): (n.CHANNEL_EMAIL, n.STATUS_FAILED),
    }
    for notification_id, (channel, status) in sent.items():
        await until(partial(_has, why, notification_id, channel, status))
    deferred = await sender.send(o_que="x", to={"mobile": "+351919999003"}, expires_in=timedelta(seconds=2))
    await until(lambda: _has(why, deferred, n.CHANNEL_SMS, n.STATUS_FAILED))
    assert (await why(deferred))[n.CHANNEL_SMS].reason == "expired"
    fallen_back = await sender.send(
        o_que="x",
        to={"email": "bounced@simulated.invalid", "mobile": "+351919999001"},
        channels=[n.CHANNEL_EMAIL, n.CHANNEL_SMS],
        fallback=True,
    )
    await until(lambda: _has(why, fallen_back, n.CHANNEL_SMS, n.STATUS_DELIVERED))
    assert not stage.noted("taken")
    assert await stage.caller(program, "nt-rui").titles() == []
    stored = [each["sealed"] async for each in stage.database().collection("notifications").find({})]
    assert [each for each in stored if each.keys() & {"sms", "email"}] == [], "nothing sealed is left of what has ended"


async def test_an_alert_overtakes_what_waits_and_nobody_can_switch_it_off(stage, until):
    stage.provider()
    program = stage.notification()
    program.start()
    sender = await ready(stage, program, "alerta", topic=n.TOPIC_ALERT, roles=["notification.emergency"])
    alert = await sender.send(template="alerta", o_que="Evacuar", to={"mobile": "+351912345678"}, lane=n.LANE_EMERGENCY)
    await until(lambda: stage.noted("taken"))
    assert (await stage.caller(program, "nt-ana").why(alert))[n.CHANNEL_SMS].reason == "forced"


async def test_a_process_that_dies_while_it_takes_a_message_in_leaves_nothing_half_done(stage, until):
    stage.provider()
    program = stage.notification()
    program.start()
    roles = (*EVERYTHING, "notification.emergency")
    await ready(stage, program, "alerta", topic=n.TOPIC_ALERT)
    request_id = new_id()
    said: dict[str, Any] = {"o_que": "Evacuar", "template": "alerta", "lane": n.LANE_EMERGENCY}
    to = {"mobile": "+351912345678"}
    for point in ("notification.order.sealed", "notification.taken"):
        program.stop()
        program.settings["ROSSIO_KILL_AT"] = point
        program.start()
        with suppress(grpc.aio.AioRpcError):
            await stage.sender(program, "nt-ana", *roles).send(request_id, to=to, **said)
        await until(lambda: program.exit_code is not None)
    program.restart(ROSSIO_KILL_AT="")
    sent = await stage.sender(program, "nt-ana", *roles).send(request_id, to=to, **said)
    why = stage.caller(program, "nt-ana").why
    await until(lambda: _has(why, sent, n.CHANNEL_SMS, n.STATUS_DELIVERED), 150)
    assert [said["text"] for said in stage.noted("taken")] == ["SNS: Evacuar"]
    stored = await stage.database().collection("notifications").get(sent)
    assert "sms" not in stored["sealed"], "destroyed on receipt, with its key"


async def test_one_click_ends_mails_of_a_kind_and_an_address_that_does_not_exist_is_not_written_to_again(
    stage, until, refused
):
    stage.mail_routing()
    stage.provider()
    program = stage.notification(UNSUBSCRIBE_URL="https://avisos.test", SMS_RECEIPT_SECRET=SECRET)
    program.start()
    sender = await ready(stage, program)
    why = stage.caller(program, "nt-ana").why
    citizen = {"email": "nt-nuno@nt-b.test"}
    await sender.send(o_que="x", to=citizen)
    (mail,) = await until(lambda: stage.letters("nt-nuno"))
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    path = urlsplit(mail["List-Unsubscribe"].strip("<>")).path
    receipts = program.settings["RECEIPTS_ADDRESS"]
    assert click(receipts, "GET", path) == 200
    assert (await why(await sender.send(o_que="x", to=citizen)))[n.CHANNEL_EMAIL].send, "who looks ends nothing"
    assert click(receipts, "POST", f"{path[:-1]}{'0' if path[-1] != '0' else '1'}") == 404
    assert click(receipts, "POST", path) == 200
    refused_mail = (await why(await sender.send(o_que="x", to=citizen)))[n.CHANNEL_EMAIL]
    assert (refused_mail.send, refused_mail.reason) == (False, "suppression-list")
    lift = pb.LiftSuppressionRequest(request_id=new_id(), channel=n.CHANNEL_EMAIL, address=citizen["email"].upper())
    assert (await sender.stub.LiftSuppression(lift)).lifted
    assert (await why(await sender.send(o_que="x", to=citizen)))[n.CHANNEL_EMAIL].send
    nobody = {"email": "ninguem@nt-b.test"}
    bounced = await sender.send(o_que="x", to=nobody)
    await until(lambda: _has(why, bounced, n.CHANNEL_EMAIL, n.STATUS_FAILED))
    again = (await why(await sender.send(o_que="x", to=nobody)))[n.CHANNEL_EMAIL]
    assert (again.send, again.reason) == (False, "suppression-list")
    for name in ("suppressions", "rate_counters", "notifications"):
        stored = [each async for each in stage.database().collection(name).find({})]
        assert stored, name
        assert "nt-b.test" not in str(stored), "no address is kept"


def click(address: str, method: str, path: str) -> int:
    connection = http.client.HTTPConnection(address, timeout=30)
    body = "List-Unsubscribe=One-Click" if method == "POST" else None
    connection.request(method, path, body, {"Content-Type": "application/x-www-form-urlencoded"} if body else {})
    status = connection.getresponse().status
    connection.close()
    return status


async def _has(why, notification_id, channel, status):
    return (await why(notification_id))[channel].status == status
