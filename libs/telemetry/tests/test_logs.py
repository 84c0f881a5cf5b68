import asyncio
import gc
import json
import logging

import pytest
import telemetry
from errors import Invalid
from telemetry import logs

CANARIES = ("maria.canaria@example.pt", "Maria Canária", "+351912345678", "o meu assunto")


@pytest.fixture
def lines(capsys):
    root = logging.getLogger()
    before = root.handlers[:], root.level
    logs.start("test", "info", pretty=False)
    yield lambda: [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    root.handlers[:], root.level = before
    logs.set_level("info")


def raised(error, cause=None):
    with pytest.raises(type(error)) as caught:
        raise error from cause
    return caught.value


def test_an_event_is_one_json_line_with_its_fields(lines):
    telemetry.logger("mail.route").info("mail routed", entity="e01", count=3, took=0.25)
    (line,) = lines()
    assert line.pop("time").endswith("+00:00")
    assert line == {
        "level": "info",
        "service": "test",
        "logger": "mail.route",
        "event": "mail routed",
        "entity": "e01",
        "count": 3,
        "took": 0.25,
    }


def test_a_line_in_a_span_carries_its_ids(lines):
    with telemetry.span("here") as span:
        telemetry.logger("x").warning("look")
    (line,) = lines()
    assert (line["trace_id"], line["span_id"]) == (span.trace_id, span.span_id)


def test_the_level_can_change_while_running(lines):
    log = telemetry.logger("x")
    log.debug("hidden")
    telemetry.set_log_level("debug")
    log.debug("shown")
    telemetry.set_log_level("error")
    log.warning("hidden")
    assert [line["event"] for line in lines()] == ["shown"]
    with pytest.raises(ValueError, match="log level"):
        telemetry.set_log_level("loud")


def test_no_canary_gets_into_a_line(lines):
    address, name, phone, subject = CANARIES
    log = telemetry.logger("x")
    log.info("mail taken", sender=address, person=name, subject=subject, mobile=phone)
    log.info("tried", target=f"box of <{address}>", dialled=phone, raw=[address], nested={"to": address})
    for error in (ValueError(f"{name} <{address}>"), Invalid(subject, reason="BAD", who=address), KeyError(phone)):
        log.error("failed", exc=raised(RuntimeError(name), error))
    logging.getLogger("library").warning("%s was refused", address)
    text = json.dumps(lines(), ensure_ascii=False)
    assert "failed" in text
    for canary in CANARIES:
        assert canary not in text


async def test_a_task_that_fails_unseen_tells_no_message(lines):
    async def fail():
        raise ValueError(CANARIES[1])

    task = asyncio.ensure_future(fail())
    await asyncio.wait([task])
    del task
    gc.collect()
    (line,) = lines()
    assert (line["logger"], line["error_type"]) == ("asyncio", "ValueError")
    assert CANARIES[1] not in json.dumps(line, ensure_ascii=False)


def test_an_exception_says_type_reason_and_place(lines):
    telemetry.logger("x").error("import failed", exc=raised(Invalid("not this", reason="BAD_COLUMN")))
    (line,) = lines()
    assert (line["level"], line["error_type"], line["reason"]) == ("error", "Invalid", "BAD_COLUMN")
    assert "test_logs.py" in line["stack"][-1]


def test_why_a_server_is_not_reached_is_said(lines):
    telemetry.logger("x").error("no broker", exc=ConnectionRefusedError("127.0.0.1:9092 refused"))
    assert lines()[0]["error_message"] == "127.0.0.1:9092 refused"


def test_what_libraries_log_comes_out_the_same_way(lines):
    logging.getLogger("aiokafka").info("below the surface %s", "x")
    logging.getLogger("aiokafka").critical("the end")
    assert [(line["logger"], line["level"], line["event"]) for line in lines()] == [
        ("aiokafka", "info", "below the surface x"),
        ("aiokafka", "error", "the end"),
    ]


def test_a_value_that_is_no_json_is_written_all_the_same(lines):
    telemetry.logger("x").info("odd", value={1, 2}.__class__, bytes=b"\xff")
    assert lines()[0]["event"] == "odd"


def test_on_a_terminal_a_line_is_for_people(capsys):
    logs.start("test", "info", pretty=True)
    telemetry.logger("x").info("mail routed", entity="e01", sender=CANARIES[0])
    text = capsys.readouterr().err
    assert "mail routed" in text
    assert "e01" in text
    assert CANARIES[0] not in text
