"""What a channel adds to calls, and the telemetry of both ends."""

import asyncio
import socket
from typing import Any

import grpc
import pytest
import rpc
import telemetry
from errors import Conflict, Invalid, Transient
from grpc import StatusCode
from telemetry import capture, semconv
from telemetry.capture import spans


async def last(stream):
    async for _ in stream:
        pass


async def upload(echo, chunks=0):
    yield echo.UploadRequest(header=echo.Header(request_id="r"))
    for _ in range(chunks):
        yield echo.UploadRequest(chunk=bytes(256 * 1024))


async def test_a_call_inside_a_call_has_what_is_left_of_its_time(serving, echo, echoing):
    left: dict[str, Any] = {}

    async def write(request, context):
        left["outer"] = rpc.time_left()
        await stub.Say(echo.SayRequest())
        async for _ in stub.Watch(echo.SayRequest()):
            pass
        return echo.SayResponse()

    async def say(request, context):
        left["inner"] = rpc.time_left()
        return echo.SayResponse()

    async def watch(request, context):
        left["stream"] = rpc.time_left()
        yield echo.SayResponse()

    echoing.Write, echoing.Say, echoing.Watch = write, say, watch
    async with serving(timeout=30.0) as stub:
        await stub.Write(echo.WriteRequest(request_id="r"), timeout=5.0)
        assert all(0 < seconds <= 5.01 for seconds in left.values()), left  # gRPC rounds up to 10 ms
        assert set(left) == {"outer", "inner", "stream"}
        await stub.Say(echo.SayRequest())
        assert 5.0 < left["inner"] <= 10.0  # the rule's default, below the channel's 30 s
        await last(stub.Watch(echo.SayRequest()))
        assert left["stream"] is None


async def test_a_caller_who_says_nothing_waits_for_the_channels_timeout(serving, echo, echoing):
    async def say(request, context):
        await asyncio.Event().wait()

    echoing.Say = say
    async with serving(timeout=0.1) as stub:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.Say(echo.SayRequest())
        assert caught.value.code() is StatusCode.DEADLINE_EXCEEDED
        error = rpc.error_of(caught.value)
        assert (type(error), error.reason) == (Transient, "DEADLINE")


async def test_a_server_that_is_not_there_is_a_transient_error(echo):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        async with rpc.channel(f"127.0.0.1:{unused.getsockname()[1]}", timeout=5) as channel:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await echo.EchoServiceStub(channel).Say(echo.SayRequest())
    error = rpc.error_of(caught.value)
    assert (type(error), error.reason) == (Transient, "UNAVAILABLE")


async def test_calls_that_found_the_server_away_are_repeated_and_streams_of_requests_are_not(serving, echo, echoing):
    attempts: list[str] = []

    async def away(request, context):
        attempts.append(type(request).__name__)
        raise Transient("not now", reason="AWAY")

    echoing.Say = echoing.Upload = away
    async with serving() as stub:
        for call, times in ((lambda: stub.Say(echo.SayRequest()), 5), (lambda: stub.Upload(upload(echo)), 1)):
            attempts.clear()
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await call()
            assert (caught.value.code(), len(attempts)) == (StatusCode.UNAVAILABLE, times)


async def test_who_sends_a_stream_may_have_it_repeated_while_the_server_is_away(serving, echo, echoing):
    refusals: list[Exception] = []

    async def refuse(requests, context):
        if refusals:
            raise refusals.pop()
        return echo.SayResponse(text="at last")

    echoing.Upload = refuse
    async with serving() as stub:
        refusals += [Transient("not now")] * 4
        assert (await rpc.repeated(lambda: stub.Upload(upload(echo)))).text == "at last"
        refusals += [Transient("not now")] * 9
        with pytest.raises(grpc.aio.AioRpcError):
            await rpc.repeated(lambda: stub.Upload(upload(echo)))
        assert len(refusals) == 4
        refusals[:] = [Transient("not now"), Conflict("never")]
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await rpc.repeated(lambda: stub.Upload(upload(echo)))
        assert (caught.value.code(), len(refusals)) == (StatusCode.ABORTED, 1)


async def test_what_refuses_an_upload_is_the_error_also_while_it_is_still_sent(serving, echo, echoing):
    async def full(requests, context):
        async for request in requests:
            if request.WhichOneof("part") == "chunk":
                raise Conflict("nothing more fits", reason="QUOTA")

    echoing.Upload = full
    async with serving() as stub:
        for _ in range(100):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await stub.Upload(upload(echo, chunks=24))
            error = rpc.error_of(caught.value)
            assert (type(error), error.reason, str(error)) == (Conflict, "QUOTA", "nothing more fits")


async def test_a_token_file_is_read_again_when_it_is_replaced(tmp_path):
    file = tmp_path / "token"
    file.write_text("one\n")
    token = rpc.token_file(file)
    assert [token(), token()] == ["one", "one"]
    (tmp_path / "next").write_text("two")
    (tmp_path / "next").rename(file)
    assert token() == "two"


async def test_both_ends_are_one_trace(serving, echo, echoing):
    async def say(request, context):
        with telemetry.span("inside", attributes={semconv.ENTITY: rpc.caller().entity_id}):
            return echo.SayResponse()

    echoing.Say = say
    with spans() as seen:
        async with serving() as stub:
            with telemetry.span("before"):
                await stub.Say(echo.SayRequest(text="maria.canaria@example.pt"))
            await last(stub.Count(echo.SayRequest(text="2")))
    by_kind = {(span.kind, span.name): span for span in seen}
    before = by_kind["INTERNAL", "before"]
    client = by_kind["CLIENT", "echo.v1.EchoService/Say"]
    server = by_kind["SERVER", "echo.v1.EchoService/Say"]
    inside = by_kind["INTERNAL", "inside"]
    assert {span.trace_id for span in (before, client, server, inside)} == {before.trace_id}
    assert [client.parent_id, server.parent_id, inside.parent_id] == [before.span_id, client.span_id, server.span_id]
    expected = {"rpc.system.name": "grpc", "rpc.method": "echo.v1.EchoService/Say", "rpc.status_code": "OK"}
    assert client.attributes == server.attributes == expected
    assert by_kind["SERVER", "echo.v1.EchoService/Count"].error == ""
    assert "canaria" not in repr(seen)
    assert "p1" not in repr(seen)


async def test_a_fault_of_the_server_is_an_error_of_its_span_and_one_of_the_caller_is_not(serving, echo, echoing):
    async def say(request, context):
        raise ValueError("maria.canaria@example.pt")

    echoing.Say = say
    with spans() as seen:
        async with serving() as stub:
            for call in (stub.Say(echo.SayRequest()), stub.Edit(echo.SayRequest())):
                with pytest.raises(grpc.aio.AioRpcError):
                    await call
    errors = {(span.kind, span.name.split("/")[1]): span.error for span in seen}
    assert errors == {
        ("CLIENT", "Say"): "INTERNAL",
        ("SERVER", "Say"): "INTERNAL",
        ("CLIENT", "Edit"): "PERMISSION_DENIED",
        ("SERVER", "Edit"): "",
    }
    assert "canaria" not in repr(seen)


async def test_calls_are_counted_by_method_and_status(serving, echo):
    def count(metric, method, code):
        wanted = f'{metric}_count{{rpc_method="echo.v1.EchoService/{method}",rpc_status_code="{code}"}} '
        lines = telemetry.exposition()[1].decode().splitlines()
        return sum(float(line.removeprefix(wanted)) for line in lines if line.startswith(wanted))

    measured = [
        ("rpc_server_call_duration_seconds", "List", "OK"),
        ("rpc_client_call_duration_seconds", "List", "OK"),
        ("rpc_server_call_duration_seconds", "List", "INVALID_ARGUMENT"),
        ("rpc_client_call_duration_seconds", "List", "INVALID_ARGUMENT"),
        ("rpc_server_call_duration_seconds", "Nobody", "PERMISSION_DENIED"),
    ]
    before = [count(*row) for row in measured]
    async with serving() as stub:
        for _ in range(3):
            await stub.List(echo.ListRequest())
        for call in (stub.List(echo.ListRequest(page_size=-1)), stub.Nobody(echo.SayRequest())):
            with pytest.raises(grpc.aio.AioRpcError):
                await call
    assert [count(*row) - was for row, was in zip(measured, before, strict=True)] == [3, 3, 1, 1, 1]


async def test_calls_are_counted_by_the_callers_entity_and_who_was_at_fault(serving, echo):
    wanted = [("e01", "ok"), ("e01", "refused"), ("e01", "fault"), ("none", "refused")]

    def counted():
        return [
            capture.value(telemetry.names.RPC_BY_ENTITY, entity=entity, outcome=outcome) for entity, outcome in wanted
        ]

    before = counted()
    async with serving() as stub:
        await stub.List(echo.ListRequest())
        for call in (stub.List(echo.ListRequest(page_size=-1)), stub.Count(echo.SayRequest(text="no number"))):
            with pytest.raises(grpc.aio.AioRpcError):
                await anext(aiter(call)) if hasattr(call, "read") else await call
    async with serving(token="not.a.token") as stub:
        with pytest.raises(grpc.aio.AioRpcError):
            await stub.List(echo.ListRequest())
    assert [now - was for now, was in zip(counted(), before, strict=True)] == [1, 1, 1, 1]


async def test_who_calls_another_service_gets_its_typed_errors(serving, echo):
    async with serving() as stub:
        with pytest.raises(Invalid) as caught, rpc.typed_errors():
            await stub.List(echo.ListRequest(page_size=-1))
    assert caught.value.reason == "PAGE_SIZE"
