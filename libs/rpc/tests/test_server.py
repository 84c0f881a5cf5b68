"""Starting, refusing to start, being watched, draining, TLS."""

import asyncio
import errno
import ipaddress
import socket
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import pytest
import rpc
import telemetry
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from grpc import StatusCode
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import (  # type: ignore[import-untyped]  # nobody needs its stubs but this test
    reflection_pb2,
    reflection_pb2_grpc,
)

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


def server(issuer, *services, address="127.0.0.1:0", **options):
    return rpc.Server(services, issuer.verifier(), address=address, **options)


def test_a_method_without_a_rule_keeps_the_server_from_starting(echo, issuer):
    service = (echo.RulelessServiceServicer(), echo.add_RulelessServiceServicer_to_server, "echo.v1.RulelessService")
    with pytest.raises(ValueError, match=r"RulelessService/Forgotten") as caught:
        server(issuer, service)
    assert "Say" not in str(caught.value)


def test_a_method_that_writes_without_room_for_a_request_id_keeps_it_from_starting(echo, issuer):
    service = (echo.HeadlessServiceServicer(), echo.add_HeadlessServiceServicer_to_server, "echo.v1.HeadlessService")
    with pytest.raises(ValueError, match="no request_id"):
        server(issuer, service)


def test_a_service_of_another_name_keeps_it_from_starting(echo, echoing, issuer):
    with pytest.raises(ValueError, match=r"adds echo\.v1\.EchoService, not echo\.v1\.HeadlessService"):
        server(issuer, (echoing, echo.add_EchoServiceServicer_to_server, "echo.v1.HeadlessService"))


def test_a_method_without_a_handler_keeps_it_from_starting(echo, echoing, issuer):
    def forgetful(servicer, target):
        handlers: dict[str, Any] = {"Say": grpc.unary_unary_rpc_method_handler(servicer.Say)}
        target.add_registered_method_handlers("echo.v1.EchoService", handlers)

    with pytest.raises(ValueError, match=r"handler: echo\.v1\.EchoService/Chat"):
        server(issuer, (echoing, forgetful, "echo.v1.EchoService"))


async def test_an_address_in_use_is_said(issuer):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(OSError, match=f"127.0.0.1:{port} cannot be bound: Address already in use") as caught:
            await server(issuer, address=f"127.0.0.1:{port}").start()
        assert caught.value.errno == errno.EADDRINUSE


async def test_a_message_over_the_limit_is_refused(echo, echoing, issuer):
    service = (echoing, echo.add_EchoServiceServicer_to_server, "echo.v1.EchoService")
    running = server(issuer, service, max_message=10_000)
    port = await running.start()
    async with rpc.channel(f"127.0.0.1:{port}", token=issuer.token) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await echo.EchoServiceStub(channel).Say(echo.SayRequest(text="x" * 20_000))
        assert caught.value.code() is StatusCode.RESOURCE_EXHAUSTED
    await running.stop(1)


async def test_calls_over_the_limit_are_told_to_come_again_and_others_are_served(echo, echoing, issuer):
    go_on = asyncio.Event()

    async def wait(request, context):
        await go_on.wait()
        return echo.SayResponse(text=request.text)

    echoing.Say = wait
    running = server(issuer, (echoing, echo.add_EchoServiceServicer_to_server, "echo.v1.EchoService"), max_calls=2)
    port = await running.start()
    async with rpc.channel(f"127.0.0.1:{port}", token=issuer.token) as channel:
        stub = echo.EchoServiceStub(channel)
        held = [asyncio.ensure_future(stub.Say(echo.SayRequest(text=str(n)))) for n in range(3)]
        done, _ = await asyncio.wait(held, return_when=asyncio.FIRST_COMPLETED)
        [refused] = [each.exception() for each in done]
        assert refused.code() is StatusCode.RESOURCE_EXHAUSTED
        assert rpc.error_of(refused).reason == "OVERLOADED"
        go_on.set()
        assert {(await each).text for each in held if each not in done} <= {"0", "1", "2"}
        assert (await stub.Say(echo.SayRequest(text="room again"))).text == "room again"
    await running.stop(1)


async def test_reflection_tells_the_services(serving):
    async with serving(token="") as stub:
        reflection: Any = reflection_pb2_grpc.ServerReflectionStub(stub.channel)
        call = reflection.ServerReflectionInfo()
        await call.write(reflection_pb2.ServerReflectionRequest(list_services=""))
        answer = await call.read()
        call.cancel()
    names = {service.name for service in answer.list_services_response.service}
    assert {"echo.v1.EchoService", "grpc.health.v1.Health"} <= names


@pytest.fixture
def readiness():
    state = {"trouble": None}
    telemetry.health.check("test", lambda: state["trouble"])
    yield state
    telemetry.health.forget("test")


def health_of(stub) -> Any:
    return health_pb2_grpc.HealthStub(stub.channel)


async def test_health_is_the_readiness_of_the_process(serving, readiness):
    async with serving(token="") as stub:
        health = health_of(stub)
        for service in ("", "echo.v1.EchoService"):
            assert (await health.Check(health_pb2.HealthCheckRequest(service=service))).status == SERVING
        readiness["trouble"] = "no broker"
        assert (await health.Check(health_pb2.HealthCheckRequest())).status == NOT_SERVING
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await health.Check(health_pb2.HealthCheckRequest(service="other"))
        assert caught.value.code() is StatusCode.NOT_FOUND


async def test_a_watch_of_health_follows_and_ends_with_the_server(serving, readiness):
    async with serving(token="") as stub, asyncio.timeout(20):
        watch = health_of(stub).Watch(health_pb2.HealthCheckRequest())
        assert (await watch.read()).status == SERVING
        readiness["trouble"] = "no broker"
        assert (await watch.read()).status == NOT_SERVING
        readiness["trouble"] = None
        assert (await watch.read()).status == SERVING
        unknown = health_of(stub).Watch(health_pb2.HealthCheckRequest(service="other"))
        assert (await unknown.read()).status == health_pb2.HealthCheckResponse.SERVICE_UNKNOWN
        await stub.server.stop(10)
        assert (await watch.read()).status == NOT_SERVING
        assert await watch.read() is grpc.aio.EOF


async def test_without_keys_the_server_is_not_ready(serving, issuer):
    issuer.jwks.unlink()
    async with serving(token="") as stub:
        answer = await health_of(stub).Check(health_pb2.HealthCheckRequest())
        assert answer.status == NOT_SERVING
        assert "not read" in str(telemetry.health.report()["token-keys"])
    assert "token-keys" not in telemetry.health.report()


async def test_a_drain_lets_work_end_and_ends_what_would_not(serving, echo, echoing):
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def say(request, context):
        begun.set()
        await go_on.wait()
        return echo.SayResponse(text="done all the same")

    async def watch(request, context):
        yield echo.SayResponse(text="first")
        await asyncio.Event().wait()

    echoing.Say, echoing.Watch = say, watch
    async with serving() as stub, asyncio.timeout(20):
        work = stub.Say(echo.SayRequest())
        endless = stub.Watch(echo.SayRequest())
        await endless.read()
        await begun.wait()
        stopping = asyncio.create_task(stub.server.stop(15))
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await endless.read()
        error = rpc.error_of(caught.value)
        assert (caught.value.code(), error.reason) == (StatusCode.UNAVAILABLE, "DRAINING")
        assert not stopping.done()
        go_on.set()
        assert (await work).text == "done all the same"
        await stopping


async def test_restarts_fail_no_call(echo, echoing, issuer):
    service = (echoing, echo.add_EchoServiceServicer_to_server, "echo.v1.EchoService")
    running = server(issuer, service)
    address = f"127.0.0.1:{await running.start()}"
    stopped = asyncio.Event()

    async def keep_calling(stub):
        calls = 0
        while not stopped.is_set():
            assert (await stub.Say(echo.SayRequest(text=str(calls)))).text == str(calls)
            calls += 1
        return calls

    try:
        async with rpc.channel(address, token=issuer.token) as channel, asyncio.timeout(60):
            callers = [asyncio.create_task(keep_calling(echo.EchoServiceStub(channel))) for _ in range(4)]
            for _ in range(2):
                await asyncio.wait(callers, timeout=0.2)
                await running.stop(10)
                running = server(issuer, service, address=address)
                await running.start()
            stopped.set()
            assert min(await asyncio.gather(*callers)) > 2
    finally:
        await running.stop(1)


async def test_a_call_that_hangs_is_given_up_when_the_grace_is_over(serving, echo, echoing):
    begun = asyncio.Event()

    async def say(request, context):
        begun.set()
        await asyncio.Event().wait()

    echoing.Say = say
    async with serving(grace=0.1) as stub:
        call = stub.Say(echo.SayRequest())
        await begun.wait()
    with pytest.raises((grpc.aio.AioRpcError, asyncio.CancelledError)):
        await call


def certificate(folder, name, *, signed_by=None):
    """A certificate and key for 127.0.0.1; without `signed_by`, an authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    issuer_name, issuer_key = signed_by or (subject, key)
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer_name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=signed_by is None, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(issuer_key, hashes.SHA256())
    )
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / f"{name}.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / f"{name}.key").write_bytes(key.private_bytes(*form))
    return folder / f"{name}.pem", folder / f"{name}.key", (subject, key)


async def test_calls_over_tls_and_a_renewed_certificate(serving, echo, tmp_path):
    authority, _, signer = certificate(tmp_path, "authority")
    pem, key, _ = certificate(tmp_path, "server", signed_by=signer)
    trusts = rpc.Tls(authority=authority)
    async with serving(server_tls=rpc.Tls(certificate=pem, key=key), channel_tls=trusts) as stub:
        assert (await stub.Say(echo.SayRequest(text="x"))).text == "x"
        async with rpc.channel(f"127.0.0.1:{stub.port}", timeout=1) as plain:
            with pytest.raises(grpc.aio.AioRpcError):
                await echo.EchoServiceStub(plain).Say(echo.SayRequest())
        other, _, other_signer = certificate(tmp_path, "other")
        certificate(tmp_path, "server", signed_by=other_signer)
        async with rpc.channel(f"127.0.0.1:{stub.port}", tls=rpc.Tls(authority=other)) as renewed:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await echo.EchoServiceStub(renewed).Say(echo.SayRequest())
            assert caught.value.code() is StatusCode.UNAUTHENTICATED


async def test_mutual_tls_asks_for_the_callers_certificate(serving, echo, tmp_path):
    authority, _, signer = certificate(tmp_path, "authority")
    pem, key, _ = certificate(tmp_path, "server", signed_by=signer)
    mine, my_key, _ = certificate(tmp_path, "caller", signed_by=signer)
    shows = rpc.Tls(authority=authority, certificate=pem, key=key)
    with_mine = rpc.Tls(authority=authority, certificate=mine, key=my_key)
    async with serving(server_tls=shows, channel_tls=with_mine) as stub:
        assert (await stub.Say(echo.SayRequest(text="x"))).text == "x"
        async with rpc.channel(f"127.0.0.1:{stub.port}", tls=rpc.Tls(authority=authority), timeout=1) as without:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await echo.EchoServiceStub(without).Say(echo.SayRequest())
            assert caught.value.code() in {StatusCode.UNAVAILABLE, StatusCode.DEADLINE_EXCEEDED}


async def test_a_caller_takes_up_renewed_certificates_without_a_new_channel(serving, echo, echoing, tmp_path):
    """As the kubelet replaces a secret: another authority, and certificates of it for both ends."""
    authority, _, signer = certificate(tmp_path, "authority")
    pem, key, _ = certificate(tmp_path, "server", signed_by=signer)
    mine, my_key, _ = certificate(tmp_path, "caller", signed_by=signer)
    shows = rpc.Tls(authority=authority, certificate=pem, key=key)
    with_mine = rpc.Tls(authority=authority, certificate=mine, key=my_key)
    connections = []

    async def say(request, context):
        connections.append(context.peer())
        return echo.SayResponse()

    echoing.Say = say
    async with serving(server_tls=shows, channel_tls=with_mine) as stub:
        await stub.Say(echo.SayRequest())
        _, _, renewed = certificate(tmp_path, "authority")
        for name in ("server", "caller"):
            certificate(tmp_path, name, signed_by=renewed)
        await stub.Say(echo.SayRequest())
        my_key.rename(tmp_path / "away")  # in the middle of being replaced once more
        await stub.Say(echo.SayRequest())
    first, second, third = connections
    assert first != second == third


def test_a_server_needs_both_halves_of_a_certificate(tmp_path):
    with pytest.raises(ValueError, match="certificate and its key"):
        rpc.Tls(certificate=tmp_path / "x.pem").server_credentials()
