"""The contracts keep the promises that buf cannot check: rules, keys, request ids, pages, streams."""

import importlib
import json
import pkgutil
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

import pytest
import rossio
from devstack import services
from google.protobuf.descriptor import Descriptor, FieldDescriptor, MethodDescriptor, ServiceDescriptor
from rossio.authz.v1 import authz_pb2
from rossio.event.v1 import event_pb2

# Packages of options, which others are described by.
OPTIONS = ("rossio.authz", "rossio.event", "rossio.validate")
DESCRIPTORS = [
    importlib.import_module(module.name).DESCRIPTOR
    for module in pkgutil.walk_packages(rossio.__path__, "rossio.")
    if module.name.endswith("_pb2") and not module.name.startswith(OPTIONS)
]
SERVICES: list[ServiceDescriptor] = [s for file in DESCRIPTORS for s in file.services_by_name.values()]
METHODS: list[MethodDescriptor] = [method for service in SERVICES for method in service.methods]
MESSAGES: list[Descriptor] = [m for file in DESCRIPTORS for m in file.message_types_by_name.values()]
EVENTS = {m.full_name: m for m in MESSAGES if m.GetOptions().HasExtension(event_pb2.event)}
STREAMS: dict[str, dict[str, Any]] = json.loads((files("rossio") / "topics.json").read_text())["streams"]


def at(message: Descriptor, path: str) -> FieldDescriptor:
    """The field that a dotted path names."""
    *parents, last = path.split(".")
    for name in parents:
        inner = message.fields_by_name[name].message_type
        assert inner is not None, f"{name} holds no message"
        message = inner
    return message.fields_by_name[last]


def names(methods: list[MethodDescriptor]) -> list[str]:
    return [method.full_name for method in methods]


def test_all_services_are_looked_at() -> None:
    packages = {"mail" if service.name == "mail-routing" else service.name for service in services.SERVICES}
    assert {service.full_name.split(".")[1] for service in SERVICES} == packages


@pytest.mark.parametrize("method", METHODS, ids=names(METHODS))
def test_every_method_says_who_may_call_it(method: MethodDescriptor) -> None:
    rule = method.GetOptions().Extensions[authz_pb2.rule]
    assert rule.allow
    assert authz_pb2.PRINCIPAL_UNSPECIFIED not in rule.allow


def request_id_holders(method: MethodDescriptor) -> Iterator[Descriptor]:
    """The message that carries the request id: the request, or the header of a stream."""
    yield method.input_type
    for field in method.input_type.fields:
        if field.message_type is not None and field.name == "header":
            yield field.message_type


@pytest.mark.parametrize("method", METHODS, ids=names(METHODS))
def test_a_method_that_writes_carries_a_request_id_and_no_other_does(method: MethodDescriptor) -> None:
    writes = method.GetOptions().Extensions[authz_pb2.rule].writes
    carries = any("request_id" in holder.fields_by_name for holder in request_id_holders(method))
    assert writes == carries


READING = ("Get", "List", "Search", "Watch", "Trace", "Resolve", "Why", "Who", "Preview", "Download")


@pytest.mark.parametrize("method", METHODS, ids=names(METHODS))
def test_a_method_that_reads_only_has_a_name_that_says_so(method: MethodDescriptor) -> None:
    reads = method.name.startswith(READING)
    rule = method.GetOptions().Extensions[authz_pb2.rule]
    assert reads != (rule.writes or method.name == "Import"), "an import is idempotent by its content"


@pytest.mark.parametrize(
    "method",
    [m for m in METHODS if m.name.startswith(("List", "Search")) and not m.server_streaming],
    ids=lambda m: m.full_name,
)
def test_lists_have_keyset_pages(method: MethodDescriptor) -> None:
    if method.name == "ListPreferences":
        pytest.skip("a closed set of topics and channels")
    assert {"page_size", "page_token"} <= set(method.input_type.fields_by_name)
    assert "next_page_token" in method.output_type.fields_by_name


@pytest.mark.parametrize("name", EVENTS)
def test_an_event_is_on_a_stream_of_its_own_package(name: str) -> None:
    package = name.split(".")[1]
    streams = [stream for stream, about in STREAMS.items() if name in about["events"]]
    assert streams
    for stream in streams:
        assert stream.startswith((package, "audit" if package == "governance" else package))


@pytest.mark.parametrize("name", EVENTS)
def test_an_event_names_the_entity_that_it_belongs_to(name: str) -> None:
    path = EVENTS[name].GetOptions().Extensions[event_pb2.event].entity
    assert at(EVENTS[name], path).type == FieldDescriptor.TYPE_STRING


@pytest.mark.parametrize("stream", STREAMS)
def test_the_key_of_a_stream_is_a_string_field_of_each_of_its_events(stream: str) -> None:
    for event in STREAMS[stream]["events"]:
        assert at(EVENTS[event], STREAMS[stream]["key"]).type == FieldDescriptor.TYPE_STRING


@pytest.mark.parametrize("stream", STREAMS)
def test_a_stream_names_services_that_exist(stream: str) -> None:
    known = {service.name for service in services.SERVICES}
    about = STREAMS[stream]
    assert {*about.get("consumers", []), *about.get("followers", [])} <= known
    assert about["producer"] in known | {"*"}


def test_no_event_carries_a_code_of_a_prescription() -> None:
    fields = {field.name for event in EVENTS.values() for field in event.fields}
    assert not {name for name in fields if "code" in name or "secret" in name or "mobile" in name}
