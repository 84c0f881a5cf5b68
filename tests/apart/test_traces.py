"""`make test-traces`: the trace of one mail and of one document share, edge by edge, from a real Jaeger by OTLP."""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
import pytest_asyncio
from cli.demo.document import document
from cli.demo.mail import mail
from cli.demo.stage import Unmet, until
from cli.demo.story import Step
from testkit.jaeger import Jaeger, Stored

from tests.e2e.running import Running, run_suite

pytestmark = [pytest.mark.kafka, pytest.mark.asyncio(loop_scope="module")]

SERVICES = ("rossio-e2e", "directory", "mail-routing", "document", "news", "notification", "governance")


@dataclass(frozen=True, slots=True)
class Watched:
    running: Running
    jaeger: Jaeger

    def story_of(self, trace_id: str) -> list[Stored]:
        """The spans of a trace, and of those that link to it, and so on."""
        stored = {span.span_id: span for service in SERVICES for span in self.jaeger.spans(service)}
        ids = {trace_id}
        while more := {
            s.trace_id for s in stored.values() if s.trace_id not in ids and any(t in ids for t, _ in s.links)
        }:
            ids |= more
        return [span for span in stored.values() if span.trace_id in ids]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def watched(kafka: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Watched]:
    jaeger = Jaeger(tmp_path_factory.mktemp("jaeger"))
    await asyncio.to_thread(jaeger.start, 120)
    try:
        async with run_suite(tmp_path_factory.mktemp("suite"), kafka, otlp_endpoint=jaeger.endpoint) as running:
            yield Watched(running, jaeger)
    finally:
        jaeger.kill()


def edges(spans: list[Stored]) -> set[tuple[str, str]]:
    """Who led to whom, as "service: operation", by parent or by link."""
    by_id = {span.span_id: f"{span.service}: {span.name}" for span in spans}
    found = set()
    for span in spans:
        for _, origin in (*((span.parent,) if span.parent else ()), *span.links):
            if origin in by_id:
                found.add((by_id[origin], by_id[span.span_id]))
    return found


def orphans(spans: list[Stored]) -> list[str]:
    """Spans that hang on one which nobody has sent (yet)."""
    known = {span.span_id for span in spans}
    return [f"{span.service}: {span.name}" for span in spans if span.parent and span.parent[1] not in known]


def chain(*spans: str) -> set[tuple[str, str]]:
    return set(itertools.pairwise(spans))


DELIVERY = (
    "mail-routing: mail.accept",
    "mail-routing: process mail.message.v1",
    "mail-routing: mail.deliver",
    "notification: process mail.delivery.v1",
)
MAIL = chain("mail-routing: smtp.mail", *DELIVERY)
SHARE = chain(
    "rossio-e2e: demo.document",
    "rossio-e2e: rossio.document.v1.DocumentService/Share",
    "document: rossio.document.v1.DocumentService/Share",
    "notification: process document.file.v1",
    "notification: process notification.request.v1",
    "notification: notification.submit",
    "notification: rossio.mail.v1.MailService/Submit",
    "mail-routing: rossio.mail.v1.MailService/Submit",
    *DELIVERY,
) | chain("document: rossio.document.v1.DocumentService/Share", "governance: process audit.v1")


@pytest.mark.parametrize(("step", "expected"), [(mail, MAIL), (document, SHARE)], ids=["mail", "share"])
async def test_a_trace_is_whole_edge_by_edge(watched: Watched, step: Step, expected: set[tuple[str, str]]) -> None:
    shown = await watched.running.play(step)
    lacks: list[object] = []

    async def whole() -> bool:
        spans = watched.story_of(shown.trace_id)
        lacks[:] = [*(expected - edges(spans)), *orphans(spans)]
        return not lacks

    with contextlib.suppress(Unmet):
        await until("the trace is whole", whole)
    assert not lacks
