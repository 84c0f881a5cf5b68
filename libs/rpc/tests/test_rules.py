"""The rules of the suite's own services."""

import importlib
import pkgutil

import pytest
import rossio
import rpc
from google.protobuf import descriptor_pool
from rpc.identity import Caller
from rpc.rules import method


def services():
    """The full names of all services of the suite."""
    found: list[str] = []
    for module in pkgutil.walk_packages(rossio.__path__, "rossio."):
        if module.name.endswith("_pb2"):
            found.extend(
                service.full_name
                for service in importlib.import_module(module.name).DESCRIPTOR.services_by_name.values()
            )
    return sorted(found)


def test_every_method_of_the_suite_has_a_rule_that_compiles():
    assert {"rossio.mail.v1.MailService", "rossio.mail.v1.QueueService"} <= set(services())
    for service in services():
        for described, rule in rpc.methods(service):
            assert rule is not None, described.full_name
            compiled = method(described, rule)
            assert compiled.door.kinds, described.full_name
            assert compiled.path == f"/{service}/{described.name}"
            if not (described.client_streaming or described.server_streaming):
                assert compiled.door.seconds


def test_a_method_that_writes_says_where_its_request_id_is():
    paths = {
        f"{described.containing_service.name}/{described.name}": method(described, rule).request_id_path
        for service in services()
        for described, rule in rpc.methods(service)
        if rule is not None
    }
    assert paths["MailService/Submit"] == "request_id"
    assert paths["DocumentService/Upload"] == "header.request_id"
    assert paths["MailService/Trace"] == ""


def test_nobody_knows_another_service():
    with pytest.raises(LookupError, match=r"rossio\.none\.v1"):
        list(rpc.methods("rossio.none.v1.NoneService"))


def test_a_method_without_a_rule_is_told(echo):
    assert descriptor_pool.Default().FindServiceByName("echo.v1.RulelessService")
    rules = {described.name: rule for described, rule in rpc.methods("echo.v1.RulelessService")}
    assert rules["Forgotten"] is None
    assert rules["Say"] is not None


@pytest.mark.parametrize(
    ("caller", "own", "other", "none"),
    [
        (Caller("p", "person", "e01", frozenset()), True, False, False),
        (Caller("p", "person", "e01", frozenset({"ministry.admin"})), True, True, True),
        (Caller("s", "service", "", frozenset()), True, True, True),
        (Caller("s", "service", "e01", frozenset()), True, False, False),
        (Caller("c", "citizen", "", frozenset()), False, False, False),
        (Caller("c", "citizen", "", frozenset({"ministry.admin"})), False, False, False),
    ],
)
def test_for_whom_a_caller_may_act(caller, own, other, none):
    assert [caller.may_act_for(entity) for entity in ("e01", "e02", "")] == [own, other, none]
