import asyncio
import json
import urllib.error
import urllib.request
from collections.abc import AsyncIterator

import pytest
import telemetry
from service.addresses import CannotStart
from service.admin import Admin


@pytest.fixture
async def admin() -> AsyncIterator[Admin]:
    admin = Admin("127.0.0.1:0")
    await admin.start()
    yield admin
    await admin.stop()


async def ask(
    admin: Admin, path: str, method: str = "GET", body: str | None = None, **headers: str
) -> tuple[int, str, str]:
    """Status, content type and body, as a client of the standard library sees them."""

    def request() -> tuple[int, str, str]:
        data = None if body is None else body.encode()
        asked = urllib.request.Request(f"http://127.0.0.1:{admin.port}{path}", data, headers, method=method)
        try:
            with urllib.request.urlopen(asked, timeout=10) as answer:
                return answer.status, answer.headers["Content-Type"], answer.read().decode()
        except urllib.error.HTTPError as refusal:
            with refusal:
                return refusal.code, refusal.headers["Content-Type"], refusal.read().decode()

    return await asyncio.to_thread(request)


async def raw(admin: Admin, sent: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", admin.port)
    writer.write(sent)
    answer = await asyncio.wait_for(reader.read(), 20)
    writer.close()
    return answer


async def test_it_is_live_whatever_the_checks_say(admin: Admin) -> None:
    telemetry.health.check("broken", lambda: "for ever")
    try:
        assert await ask(admin, "/livez") == (200, "text/plain; charset=utf-8", "live\n")
    finally:
        telemetry.health.forget("broken")


async def test_readiness_tells_every_reason(admin: Admin) -> None:
    telemetry.health.check("one", lambda: "waits for the moon")
    telemetry.health.check("two", lambda: None)
    telemetry.health.check("three", lambda: "has no wine")
    try:
        status, _, body = await ask(admin, "/readyz?verbose")
        assert (status, body) == (503, "one: waits for the moon\nthree: has no wine\n")
    finally:
        for name in ("one", "two", "three"):
            telemetry.health.forget(name)
    assert (await ask(admin, "/readyz"))[0] == 200


async def test_metrics_come_as_openmetrics_with_exemplars_to_who_takes_them(admin: Admin) -> None:
    spread = telemetry.names.OPERATION.bind(operation="admin.test", outcome="ok")
    with telemetry.span("test", parent=telemetry.context_from(f"00-{'ab' * 16}-{'cd' * 8}-01")):
        spread.observe(0.01)
    status, content_type, body = await ask(admin, "/metrics", Accept="application/openmetrics-text; version=1.0.0")
    assert status == 200
    assert content_type.startswith("application/openmetrics-text")
    assert body.endswith("# EOF\n")
    assert f'trace_id="{"ab" * 16}"' in body
    plain = await ask(admin, "/metrics", Accept="text/plain")
    assert plain[1].startswith("text/plain")
    assert "rossio_operation_duration_seconds" in plain[2]


async def test_the_log_level_can_be_changed(admin: Admin, capsys: pytest.CaptureFixture[str]) -> None:
    telemetry.set_log_level("info")
    log = telemetry.logger("test")
    log.debug("unheard")
    assert await ask(admin, "/log-level", "PUT", "debug\n") == (200, "text/plain; charset=utf-8", "debug\n")
    log.debug("heard")
    status, _, why = await ask(admin, "/log-level", "PUT", "loud")
    assert status == 400
    assert "a log level is one of" in why
    await ask(admin, "/log-level", "PUT", "info")
    log.debug("unheard")
    said = [json.loads(line)["event"] for line in capsys.readouterr().err.splitlines() if line.startswith("{")]
    assert said.count("heard") == 1
    assert "unheard" not in said


async def test_what_there_is_not_and_what_cannot_be_done_is_said(admin: Admin) -> None:
    status, _, body = await ask(admin, "/secrets")
    assert status == 404
    assert "/readyz" in body
    assert (await ask(admin, "/livez", "POST", "x"))[0] == 405
    assert (await ask(admin, "/log-level"))[0] == 405
    assert b"Allow: PUT\r\n" in await raw(admin, b"GET /log-level HTTP/1.1\r\n\r\n")


async def test_a_head_request_gets_the_head_alone(admin: Admin) -> None:
    answer = await raw(admin, b"HEAD /livez HTTP/1.1\r\nHost: x\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"Content-Length: 5\r\n" in answer
    assert answer.endswith(b"\r\n\r\n")


@pytest.mark.parametrize(
    "sent",
    [
        b"nonsense\r\n\r\n",
        b"GET /livez\r\n\r\n",
        b"\x16\x03\x01\x00\xff\r\n\r\n",
        b"GET /" + b"x" * 40_000 + b" HTTP/1.1\r\n\r\n",
        b"PUT /log-level HTTP/1.1\r\nContent-Length: 1000000000\r\n\r\n",
        b"PUT /log-level HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"PUT /log-level HTTP/1.1\r\nContent-Length: many\r\n\r\n",
        b"PUT /log-level HTTP/1.1\r\nContent-Length: 4\r\n\r\n\xff\xfe\xfd\xfc",
    ],
)
async def test_what_is_no_request_is_hung_up_on_and_harms_nothing(admin: Admin, sent: bytes) -> None:
    assert await raw(admin, sent) == b""
    assert (await ask(admin, "/livez"))[0] == 200


async def test_a_taken_port_is_a_line_that_says_what_to_do(admin: Admin) -> None:
    with pytest.raises(CannotStart) as refused:
        await Admin(f"127.0.0.1:{admin.port}").start()
    assert str(refused.value) == (
        f"127.0.0.1:{admin.port} is in use: stop what listens there, or set ADMIN_ADDRESS to another address"
    )


async def test_an_address_of_another_machine_is_a_line_too() -> None:
    with pytest.raises(CannotStart, match="no address of this machine"):
        await Admin("192.0.2.1:1").start()
