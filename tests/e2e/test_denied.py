"""Deny by default: every method of every service, called by those who may not, refuses; made from the descriptors."""

import importlib
import pkgutil
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from typing import Any

import grpc.aio
import pytest
import rossio
import rpc
from google.protobuf import message_factory
from google.protobuf.descriptor import MethodDescriptor
from rossio.authz.v1 import authz_pb2

from tests.e2e.running import Running

pytestmark = [pytest.mark.kafka, pytest.mark.asyncio(loop_scope="session")]

SERVICES = [
    described.full_name
    for module in pkgutil.walk_packages(rossio.__path__, "rossio.")
    if module.name.endswith("_pb2")
    for described in importlib.import_module(module.name).DESCRIPTOR.services_by_name.values()
]
METHODS: list[tuple[str, MethodDescriptor, authz_pb2.Rule]] = [
    ("mail-routing" if full_name.startswith("rossio.mail.") else full_name.split(".")[1], method, rule)
    for full_name in SERVICES
    for method, rule in rpc.methods(full_name)
    if rule is not None
]
KINDS = {
    "person": authz_pb2.PRINCIPAL_PERSON,
    "citizen": authz_pb2.PRINCIPAL_CITIZEN,
    "service": authz_pb2.PRINCIPAL_SERVICE,
}
every_method = pytest.mark.parametrize(
    ("service", "method", "rule"), METHODS, ids=[method.full_name for _, method, _ in METHODS]
)


async def call(address: str, method: MethodDescriptor, request: Any, token: str | None) -> grpc.StatusCode:
    """The status of one call, whatever its shape, with or without a token."""
    metadata = (("authorization", f"Bearer {token}"),) if token is not None else ()
    path = f"/{method.containing_service.full_name}/{method.name}"
    answer = message_factory.GetMessageClass(method.output_type).FromString
    async with grpc.aio.insecure_channel(address) as channel:
        shape = f"{'stream' if method.client_streaming else 'unary'}_{'stream' if method.server_streaming else 'unary'}"
        stub = getattr(channel, shape)(
            path, request_serializer=lambda m: m.SerializeToString(), response_deserializer=answer
        )
        given: Any = _stream(request) if method.client_streaming else request
        try:
            if method.server_streaming:
                async for _ in stub(given, metadata=metadata, timeout=10):
                    return grpc.StatusCode.OK
            else:
                await stub(given, metadata=metadata, timeout=10)
        except grpc.aio.AioRpcError as error:
            return error.code()
    return grpc.StatusCode.OK


async def _stream(request: Any) -> AsyncIterator[Any]:
    yield request


def empty(method: MethodDescriptor) -> Any:
    return message_factory.GetMessageClass(method.input_type)()


@every_method
async def test_nobody_gets_in_without_a_token(
    running: Running, service: str, method: MethodDescriptor, rule: authz_pb2.Rule
) -> None:
    del rule
    address = running.stage.stack.endpoints[service]
    assert await call(address, method, empty(method), None) == grpc.StatusCode.UNAUTHENTICATED
    assert await call(address, method, empty(method), "no.token.atall") == grpc.StatusCode.UNAUTHENTICATED


def tokens_that_do_not_count(running: Running) -> Iterator[str]:
    issuer = running.suite.issuer

    def token(**unlike: Any) -> str:
        return issuer.token("operator", kind="service", roles=["ministry.admin"], **unlike)

    yield token(ttl=timedelta(minutes=-10))
    yield token(audience="another-suite")
    yield token().rpartition(".")[0] + "."


@every_method
async def test_an_old_or_foreign_or_unsigned_token_does_not_count(
    running: Running, service: str, method: MethodDescriptor, rule: authz_pb2.Rule
) -> None:
    del rule
    for token in tokens_that_do_not_count(running):
        address = running.stage.stack.endpoints[service]
        assert await call(address, method, empty(method), token) == grpc.StatusCode.UNAUTHENTICATED


@every_method
async def test_another_kind_of_caller_stays_outside(
    running: Running, service: str, method: MethodDescriptor, rule: authz_pb2.Rule
) -> None:
    for kind, principal in KINDS.items():
        if principal not in rule.allow:
            token = running.suite.issuer.token("someone", kind=kind, entity="e01", roles=list(rule.roles))  # type: ignore[arg-type]
            status = await call(running.stage.stack.endpoints[service], method, empty(method), token)
            assert status == grpc.StatusCode.PERMISSION_DENIED, kind


@pytest.mark.parametrize(
    ("service", "method", "rule"),
    [row for row in METHODS if row[2].roles],
    ids=[row[1].full_name for row in METHODS if row[2].roles],
)
async def test_a_person_without_the_role_stays_outside(
    running: Running, service: str, method: MethodDescriptor, rule: authz_pb2.Rule
) -> None:
    assert authz_pb2.PRINCIPAL_PERSON in rule.allow
    token = running.suite.issuer.token("p000001", entity="e01", roles=["some.other"])
    status = await call(running.stage.stack.endpoints[service], method, empty(method), token)
    assert status == grpc.StatusCode.PERMISSION_DENIED


@every_method
async def test_a_write_without_a_request_id_is_no_request(
    running: Running, service: str, method: MethodDescriptor, rule: authz_pb2.Rule
) -> None:
    if not rule.writes:
        pytest.skip("reads")
    token = running.suite.issuer.token("p000001", entity="e01", roles=list(rule.roles))
    status = await call(running.stage.stack.endpoints[service], method, empty(method), token)
    assert status == grpc.StatusCode.INVALID_ARGUMENT
