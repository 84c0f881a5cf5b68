"""What the interceptor does to calls of every kind, over real servers on loopback."""

import asyncio
from typing import Any

import errors
import grpc
import pytest
import rpc
from google.rpc import error_details_pb2, status_pb2  # type: ignore[import-untyped]  # has stubs, but no py.typed
from grpc import StatusCode


async def refused(awaitable):
    """The error of a call that is refused, typed, with its status code."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await awaitable
    return caught.value.code(), rpc.error_of(caught.value)


async def many(messages):
    for message in messages:
        yield message


async def test_the_four_kinds_of_call_work(serving, echo, echoing):
    async with serving() as stub:
        assert (await stub.Say(echo.SayRequest(text="olá"))).text == "olá"
        assert [r.text async for r in stub.Count(echo.SayRequest(text="3"))] == ["0", "1", "2"]
        parts = [echo.UploadRequest(header=echo.Header(request_id="r1")), echo.UploadRequest(chunk=b"abc")]
        assert (await stub.Upload(many(parts))).text == "r1"
        assert echoing.chunks == parts
        answers = stub.Chat(many([echo.SayRequest(text="a"), echo.SayRequest(text="b")]))
        assert [r.text async for r in answers] == ["A", "B"]


async def test_a_conversation_answers_before_the_caller_has_ended(serving, echo):
    async with serving() as stub:
        call = stub.Chat()
        for word in ("one", "two"):
            await call.write(echo.SayRequest(text=word))
            assert (await call.read()).text == word.upper()
        await call.done_writing()
        assert await call.read() is grpc.aio.EOF


async def test_a_handler_may_write_its_responses_itself(serving, echo, echoing):
    async def count(request, context):
        await context.write(echo.SayResponse(text="by hand"))

    echoing.Watch = count
    async with serving() as stub:
        assert [r.text async for r in stub.Watch(echo.SayRequest())] == ["by hand"]


async def test_a_handler_knows_who_calls_and_callers_do_not_mix(serving, echo, echoing, issuer):
    both = asyncio.Barrier(2)

    async def say(request, context):
        await both.wait()
        caller = rpc.caller()
        return echo.SayResponse(text=f"{caller.subject} {caller.kind} {caller.entity_id} {sorted(caller.roles)}")

    echoing.Say = say
    tokens = [issuer.token("p1", roles=["a", "b"]), issuer.token("s1", kind="service", entity="")]
    async with serving(token="") as stub:
        calls = [stub.Say(echo.SayRequest(), metadata=(("authorization", f"Bearer {t}"),)) for t in tokens]
        assert [(await call).text for call in calls] == ["p1 person e01 ['a', 'b']", "s1 service  []"]


@pytest.mark.parametrize(
    ("kind", "roles", "method", "reason"),
    [
        ("person", [], "Say", None),
        ("service", [], "Say", None),
        ("citizen", [], "Say", "PRINCIPAL"),
        ("person", [], "Citizens", "PRINCIPAL"),
        ("service", [], "Citizens", "PRINCIPAL"),
        ("citizen", [], "Citizens", None),
        ("person", [], "Edit", "ROLE"),
        ("person", ["echo.reader"], "Edit", "ROLE"),
        ("person", ["echo.editor"], "Edit", None),
        ("person", ["ministry.admin", "x"], "Edit", None),
        ("service", [], "Edit", None),
        ("citizen", ["echo.editor"], "Edit", "PRINCIPAL"),
        ("person", ["ministry.admin"], "Nobody", "PRINCIPAL"),
        ("service", [], "Nobody", "PRINCIPAL"),
        ("person", [], "Unspecified", "PRINCIPAL"),
    ],
)
async def test_the_rule_opens_the_door(serving, echo, issuer, kind, roles, method, reason):
    async with serving(issuer.token(kind=kind, roles=roles)) as stub:
        call = getattr(stub, method)(echo.SayRequest(text="x"))
        if reason is None:
            assert (await call).text == "x"
        else:
            code, error = await refused(call)
            assert (code, type(error), error.reason) == (StatusCode.PERMISSION_DENIED, errors.NotAllowed, reason)


async def test_no_method_of_any_kind_opens_without_a_token(serving, echo, echoing):
    async with serving(token="") as stub:
        calls = [
            stub.Say(echo.SayRequest()),
            stub.Write(echo.WriteRequest(request_id="r")),
            stub.Count(echo.SayRequest(text="1")).read(),
            stub.Upload(many([echo.UploadRequest(header=echo.Header(request_id="r"))])),
            stub.Chat(many([echo.SayRequest()])).read(),
        ]
        for call in calls:
            code, error = await refused(call)
            assert (code, error.reason) == (StatusCode.UNAUTHENTICATED, "TOKEN_MISSING")
        assert echoing.chunks == []


async def test_nothing_of_a_request_is_parsed_before_the_caller_is_known(serving):
    async with serving(token="") as stub:
        code, _ = await refused(stub.channel.unary_unary("/echo.v1.EchoService/Say")(b"\xff\xff"))
        assert code is StatusCode.UNAUTHENTICATED


async def test_what_cannot_be_parsed_is_the_callers_fault(serving):
    async with serving() as stub:
        code, error = await refused(stub.channel.unary_unary("/echo.v1.EchoService/Say")(b"\xff\xff"))
        assert (code, error.reason) == (StatusCode.INVALID_ARGUMENT, "MALFORMED")


async def test_a_bad_field_is_named(serving, echo):
    async with serving() as stub:
        bad = echo.ShapesRequest(id="no spaces", inners=[echo.Inner(must="x"), echo.Inner()])
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.Check(bad)
        trailer: dict[str, Any] = dict(caught.value.trailing_metadata())
        status = status_pb2.Status.FromString(trailer["grpc-status-details-bin"])
        info, request = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
        assert status.details[0].Unpack(info)
        assert status.details[1].Unpack(request)
        assert (status.code, info.domain, info.reason) == (3, "rossio", "INVALID_FIELD")
        assert [violation.field for violation in request.field_violations] == ["id", "inners[1].must"]
        error = rpc.error_of(caught.value)
        assert isinstance(error, errors.Invalid)
        assert error.details["inners[1].must"] == "is required"


async def test_a_bad_message_in_the_middle_of_a_stream_ends_the_call(serving, echo, echoing):
    async with serving() as stub:
        header = echo.UploadRequest(header=echo.Header(request_id="r1"))
        code, error = await refused(stub.Upload(many([header, echo.UploadRequest(header=echo.Header(name="a/b"))])))
        assert (code, list(error.details)) == (StatusCode.INVALID_ARGUMENT, ["header.name"])
        assert echoing.chunks == [header]


async def test_a_write_carries_a_request_id(serving, echo, echoing):
    async with serving() as stub:
        code, error = await refused(stub.Write(echo.WriteRequest(text="x")))
        assert (code, list(error.details)) == (StatusCode.INVALID_ARGUMENT, ["request_id"])
        for parts in (
            [echo.UploadRequest(header=echo.Header(name="n"))],
            [echo.UploadRequest(chunk=b"x"), echo.UploadRequest(header=echo.Header(request_id="late"))],
        ):
            code, error = await refused(stub.Upload(many(parts)))
            assert (code, list(error.details)) == (StatusCode.INVALID_ARGUMENT, ["header.request_id"])
        code, error = await refused(stub.Upload(many([])))
        assert (code, error.reason) == (StatusCode.INVALID_ARGUMENT, "EMPTY_STREAM")
        assert echoing.chunks == []


async def test_the_same_request_derives_the_same_id_and_any_other_another(serving, echo, issuer):
    tokens = [issuer.token(), issuer.token("p2"), issuer.token(entity="e02")]
    async with serving(token="") as stub:

        async def derived(request_id="r1", text="x", token=tokens[0]):
            request = echo.WriteRequest(request_id=request_id, text=text)
            return (await stub.Write(request, metadata=(("authorization", f"Bearer {token}"),))).text

        first = await derived()
        assert await derived() == first
        assert len(first) == 32
        others = [
            await derived(request_id="r2"),
            await derived(text="y"),
            await derived(token=tokens[1]),
            await derived(token=tokens[2]),
        ]
        assert len({first, *others}) == 5


async def test_outside_a_writing_call_there_is_no_derived_id(serving, echo, echoing):
    async def say(request, context):
        rpc.derived_id("x")

    echoing.Say = say
    with pytest.raises(LookupError):
        rpc.caller()
    async with serving() as stub:
        code, _ = await refused(stub.Say(echo.SayRequest()))
        assert code is StatusCode.INTERNAL


@pytest.mark.parametrize(
    ("raised", "code", "reason"),
    [
        (errors.Invalid("m", reason="BAD_NUMBER", position="3"), StatusCode.INVALID_ARGUMENT, "BAD_NUMBER"),
        (errors.NotFound("m", position="3"), StatusCode.NOT_FOUND, "NOT_FOUND"),
        (errors.NotAllowed("m", position="3"), StatusCode.PERMISSION_DENIED, "NOT_ALLOWED"),
        (errors.Unauthenticated("m", position="3"), StatusCode.UNAUTHENTICATED, "UNAUTHENTICATED"),
        (errors.Conflict("m", reason="STALE", position="3"), StatusCode.ABORTED, "STALE"),
        (errors.Conflict("m", reason="ALREADY_EXISTS", position="3"), StatusCode.ALREADY_EXISTS, "ALREADY_EXISTS"),
        (errors.Exhausted("m", position="3"), StatusCode.RESOURCE_EXHAUSTED, "EXHAUSTED"),
    ],
)
async def test_an_error_comes_back_as_the_same_error(serving, echo, echoing, raised, code, reason):
    async def say(request, context):
        raise raised

    async def count(request, context):
        yield echo.SayResponse(text="before")
        raise raised

    echoing.Say, echoing.Watch = say, count
    async with serving() as stub:
        for call in (stub.Say(echo.SayRequest()), last(stub.Watch(echo.SayRequest()))):
            got, error = await refused(call)
            assert got is code
            assert (type(error), str(error), error.reason) == (type(raised), "m", reason)
            assert error.details == {"position": "3"}


async def last(stream):
    async for _ in stream:
        pass


async def test_a_transient_failure_is_tried_again_by_the_channel(serving, echo, echoing):
    tries = []

    async def say(request, context):
        tries.append(1)
        if len(tries) < 3:
            raise errors.Transient("the store is away", reason="STORE")
        return echo.SayResponse(text="at last")

    echoing.Say = say
    async with serving() as stub:
        assert (await stub.Say(echo.SayRequest())).text == "at last"


async def test_a_bug_tells_nothing_but_its_trace(serving, echo, echoing, capsys):
    async def say(request, context):
        raise ValueError("maria.canaria@example.pt and a secret")

    echoing.Say = say
    async with serving() as stub:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.Say(echo.SayRequest())
    told = repr(caught.value) + repr(caught.value.trailing_metadata())
    logged = capsys.readouterr().err
    assert caught.value.code() is StatusCode.INTERNAL
    assert "canaria" not in told + logged
    error = rpc.error_of(caught.value)
    assert (type(error), error.reason) == (errors.RossioError, "INTERNAL")
    assert error.details["trace_id"] in logged
    assert "ValueError" in logged


async def test_the_rules_deadline_ends_a_call(serving, echo, echoing):
    ended = []

    async def forever(request, context):
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(1)

    async def stream(request, context):
        yield echo.SayResponse(text="first")
        await forever(request, context)

    echoing.Hurry, echoing.Count = forever, stream
    async with serving() as stub:
        for call in (stub.Hurry(echo.SayRequest()), last(stub.Count(echo.SayRequest()))):
            code, error = await refused(call)
            assert (code, type(error), error.reason) == (StatusCode.DEADLINE_EXCEEDED, errors.Transient, "DEADLINE")
    assert ended == [1, 1]


async def test_an_earlier_deadline_of_the_caller_ends_the_work_too(serving, echo, echoing):
    ended = asyncio.Event()
    left: list[Any] = []

    async def say(request, context):
        left.append(rpc.time_left())
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    echoing.Say = say
    async with serving() as stub:
        code, _ = await refused(stub.Say(echo.SayRequest(), timeout=0.2))
        assert code is StatusCode.DEADLINE_EXCEEDED
        async with asyncio.timeout(10):
            await ended.wait()
    assert 0 < left[0] <= 0.2


async def test_a_timeout_of_the_handlers_own_is_a_bug_and_not_the_deadline(serving, echo, echoing):
    async def say(request, context):
        async with asyncio.timeout(0):
            await asyncio.Event().wait()

    echoing.Say = say
    async with serving() as stub:
        code, _ = await refused(stub.Say(echo.SayRequest()))
        assert code is StatusCode.INTERNAL


async def test_when_the_caller_hangs_up_the_handler_ends(serving, echo, echoing):
    begun, ended = asyncio.Event(), asyncio.Event()

    async def watch(request, context):
        try:
            begun.set()
            yield echo.SayResponse(text="first")
            await asyncio.Event().wait()
        finally:
            ended.set()

    echoing.Watch = watch
    async with serving() as stub:
        call = stub.Watch(echo.SayRequest())
        await call.read()
        call.cancel()
        async with asyncio.timeout(10):
            await ended.wait()


async def test_pages_follow_each_other_to_the_end(serving, echo):
    async with serving() as stub:
        items, token = [], ""
        for size in (0, 7, 1000):
            page = await stub.List(echo.ListRequest(page_size=size, page_token=token))
            items.extend(page.items)
            token = page.next_page_token
        assert items == [str(number) for number in range(25)]
        assert token == ""


async def test_a_page_token_is_for_its_method_and_filter(serving, echo):
    async with serving() as stub:
        token = (await stub.List(echo.ListRequest(folder="a"))).next_page_token
        assert (await stub.List(echo.ListRequest(folder="a", page_token=token, page_size=5))).items[0] == "10"
        wrong = [
            echo.ListRequest(folder="b", page_token=token),
            echo.ListRequest(page_token="garbage"),
            echo.ListRequest(page_token="é"),
            echo.ListRequest(page_token="WyJ4Il0"),
            echo.ListRequest(page_token="bnVsbA"),
        ]
        for request in wrong:
            code, error = await refused(stub.List(request))
            assert (code, error.reason) == (StatusCode.INVALID_ARGUMENT, "PAGE_TOKEN")
        code, error = await refused(stub.List(echo.ListRequest(page_size=-1)))
        assert (code, error.reason) == (StatusCode.INVALID_ARGUMENT, "PAGE_SIZE")
