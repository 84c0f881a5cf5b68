"""One trace from the SMTP dialogue to the notice in the inbox, from what the programs exported."""

from pathlib import Path

import pytest
from cli.demo.mail import mail
from cli.demo.stage import until
from telemetry import capture
from telemetry.capture import Exported

from tests.e2e.running import Running

pytestmark = [pytest.mark.kafka, pytest.mark.asyncio(loop_scope="session")]


def story_of(trace_id: str, spans: Path) -> list[Exported]:
    """The spans of a trace, and of those that it links to."""
    exported = capture.read(spans)
    ids = {trace_id}
    for _ in range(5):
        ids |= {span.trace_id for span in exported if any(linked in ids for linked, _ in span.links)}
    return [span for span in exported if span.trace_id in ids]


def orphans(spans: list[Exported]) -> list[Exported]:
    """Those whose parent was not exported, or not yet: each process exports in its own time."""
    known = known_of(spans)
    return [span for span in spans if span.parent_id and (span.trace_id, span.parent_id) not in known]


def known_of(spans: list[Exported]) -> set[tuple[str, str]]:
    return {(span.trace_id, span.span_id) for span in spans}


async def test_a_mail_is_one_trace_from_smtp_to_the_notice(running: Running) -> None:
    shown = await running.play(mail)

    async def whole() -> list[Exported] | None:
        found = story_of(shown.trace_id, running.spans)
        told = {"mail-routing", "notification"} <= {span.service for span in found}
        return found if told and not orphans(found) else None

    spans = await until("the notice is part of the trace, and every span hangs on one that was exported", whole)
    roots = [span for span in spans if not span.parent_id and not span.links]
    assert len(roots) == 1, f"everything hangs on one root: {[span.name for span in roots]}"
    assert roots[0].service == "mail-routing"
    for span in spans:
        for link in span.links:
            assert link in known_of(spans) or link[0] != shown.trace_id, (
                f"{span.name} links to a span that nobody exported"
            )
