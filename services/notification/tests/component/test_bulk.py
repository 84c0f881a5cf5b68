"""Many messages by one template: checked by row, sent once under SIGKILL, paused, resumed, the failed sent again."""

from collections import Counter
from typing import Any

from rossio.notification.v1 import bulk_pb2 as b
from rossio.notification.v1 import notification_pb2 as n

from .conftest import new_id
from .test_send import ready

SMS = [n.CHANNEL_SMS]


def table(rows: int, first: int = 0) -> bytes:
    lines = [f"+35191{number:07};exame {number};r{number}" for number in range(first, first + rows)]
    return "\n".join(["mobile;o_que;reference", *lines]).encode("utf-8-sig")


def start(request_id: str = "", **said) -> b.StartBulkRequest:
    return b.StartBulkRequest(request_id=request_id or new_id(), template="consulta", channels=SMS, **said)


async def test_a_table_is_checked_by_row_and_nothing_is_sent_when_something_is_wrong(stage, refused):
    program = stage.notification(ROLES="api,bulk")
    program.start()
    await ready(stage, program)
    ana = stage.bulk(program, "nt-ana")
    wrong = "\n".join(
        (
            "person_id,mobile,email,o_que",
            ",+351912345678,,análises",
            ",+351212345678,,x",
            "nobody,,,x",
            "nt-rui,+351912345678,,x",
            ",,,x",
            ",,not an address,x",
            ",+351912345678,,",
            f",+351912345678,,{'x' * 900}",
        )
    ).encode()
    answer = await ana.StartBulk(start(table=wrong))
    assert [(each.row, each.column, each.reason) for each in answer.errors] == [
        (2, "mobile", "NUMBER_NOT_MOBILE"),
        (3, "person_id", "PERSON_NOT_FOUND"),
        (4, "person_id", "RECIPIENT_AMBIGUOUS"),
        (5, "", "RECIPIENT_MISSING"),
        (6, "email", "ADDRESS_MALFORMED"),
        (7, "o_que", "VARIABLE_MALFORMED"),
        (8, "", "SMS_TOO_LONG"),
    ]
    assert (answer.rows, answer.error_count, answer.HasField("job")) == (8, 7, False)
    checked = await ana.StartBulk(start(table=table(3), check_only=True))
    assert (checked.rows, checked.error_count, checked.HasField("job")) == (3, 0, False)
    wrongs: tuple[tuple[dict[str, Any], str], ...] = (
        ({"table": b"mobile;o_que\n+351912345678\n"}, "TABLE_UNEVEN"),
        ({"table": "mobile;o_que\nção".encode("latin-1")}, "TABLE_NOT_UTF8"),
        ({"table": b"o_que\nx\n"}, "TABLE_HEADING"),
        ({}, "BULK_WITHOUT_RECIPIENTS"),
        ({"table": table(1), "audience": "all"}, "BULK_WITHOUT_RECIPIENTS"),
        ({"audience": "colour = blue", "personalisation": {"o_que": "x"}}, ""),
    )
    for bad, reason in wrongs:
        with refused("INVALID_ARGUMENT", reason):
            await ana.StartBulk(start(**bad))
    with refused("PERMISSION_DENIED", "AUDIENCE_NOT_YOURS"):
        await ana.StartBulk(start(audience="all", personalisation={"o_que": "x"}))
    assert not (await ana.ListBulks(b.ListBulksRequest())).jobs
    job = (await ana.StartBulk(start(table=table(1)))).job
    with refused("NOT_FOUND", "JOB_NOT_FOUND"):
        await stage.bulk(program, "nt-eva").GetBulk(b.GetBulkRequest(job_id=job.job_id))


async def test_a_job_that_is_killed_paused_and_retried_sends_each_message_once_and_the_failed_again(stage, until):
    stage.provider("--receipt-ms", "10", "--latency-ms", "1", "--undelivered", "0.1")
    program = stage.notification(ROLES="api,bulk,release", ROSSIO_KILL_AT="notification.bulk.sealed:2")
    program.start()
    await ready(stage, program)
    request_id = new_id()
    ana = stage.bulk(program, "nt-ana")
    job = (await ana.StartBulk(start(request_id, table=table(620)))).job
    await until(lambda: program.exit_code is not None)
    for point in ("notification.bulk.taken:1", "notification.bulk.chunk:1"):
        program.settings["ROSSIO_KILL_AT"] = point
        program.launch()
        await until(lambda: program.exit_code is not None)
    program.restart(ROSSIO_KILL_AT="")
    ana = stage.bulk(program, "nt-ana")
    again = (await ana.StartBulk(start(request_id, table=table(620)))).job
    assert again.job_id == job.job_id, "a repeated request is the same job"

    async def look():
        return (await ana.GetBulk(b.GetBulkRequest(job_id=job.job_id))).job

    async def is_at(state: b.BulkState.ValueType, **counts: int):
        seen = await look()
        return (
            seen
            if seen.state == state and all(getattr(seen, name) == count for name, count in counts.items())
            else None
        )

    await until(lambda: is_at(b.BULK_STATE_DONE, taken=620, waiting=620))
    sender = stage.notification(ROLES="send,receipts,expire")
    sender.start()

    async def ended():
        seen = await look()
        return seen if seen.delivered + seen.failed == 620 else None

    seen = await until(ended, 180)
    taken = Counter(message["text"] for message in stage.noted("taken"))
    assert taken == Counter(f"SNS: exame {number}" for number in range(620)), "each once"
    failed = {said["id"] for said in stage.noted("receipt") if said["status"] == "failed"}
    assert seen.failed == len(failed) > 0
    stage.sms.kill()
    stage.provider("--receipt-ms", "10", "--latency-ms", "1")
    retried = (await ana.RetryBulk(b.RetryBulkRequest(request_id=new_id(), job_id=job.job_id))).job
    assert retried.round == 2
    await until(lambda: is_at(b.BULK_STATE_DONE, delivered=620, failed=0), 120)
    texts = {message["id"]: message["text"] for message in stage.noted("taken")}
    assert Counter(texts.values()) == taken + Counter(texts[each] for each in failed), "only the failed ones again"
    outboxes = await stage.database().collection("notifications").pending(2000)
    assert outboxes == [], "nothing waits to be published"
    secrets = [each async for each in stage.database().collection("bulk_chunks").find({})]
    assert "exame" not in str(secrets), "rows are sealed"


async def test_a_job_to_an_audience_reaches_its_people_and_waits_while_it_is_paused(stage, until):
    stage.provider("--receipt-ms", "10")
    program = stage.notification(ROLES="api")
    program.start()
    await ready(stage, program)
    ana = stage.bulk(program, "nt-ana")
    said: dict[str, Any] = {"audience": 'entity = "nt-a"', "personalisation": {"o_que": "vacina"}}
    job = (await ana.StartBulk(start(**said))).job
    assert job.total == 2
    paused = (await ana.PauseBulk(b.PauseBulkRequest(request_id=new_id(), job_id=job.job_id))).job
    assert paused.state == b.BULK_STATE_PAUSED
    worker = stage.notification(ROLES="bulk,send,receipts,release")
    worker.start()
    other = (await ana.StartBulk(start(**said))).job

    async def done(job_id: str):
        seen = (await ana.GetBulk(b.GetBulkRequest(job_id=job_id))).job
        return seen if seen.delivered == 2 else None

    await until(lambda: done(other.job_id))
    assert (await ana.GetBulk(b.GetBulkRequest(job_id=job.job_id))).job.taken == 0
    await ana.ResumeBulk(b.ResumeBulkRequest(request_id=new_id(), job_id=job.job_id))
    await until(lambda: done(job.job_id))
    page = await ana.ListBulks(b.ListBulksRequest(page_size=1))
    assert [each.job_id for each in page.jobs] == [other.job_id]
    following = await ana.ListBulks(b.ListBulksRequest(page_size=1, page_token=page.next_page_token))
    assert ([each.job_id for each in following.jobs], following.next_page_token) == ([job.job_id], "")
