"""The main job on the real Kafka: every step of the demo is done and checked."""

import pytest
from cli.demo.story import STEPS, Step

from tests.e2e.running import Running

pytestmark = [pytest.mark.kafka, pytest.mark.asyncio(loop_scope="session")]


@pytest.mark.parametrize(("title", "step"), STEPS, ids=[step.__name__ for _, step in STEPS])
async def test_a_step_does_what_it_promises(running: Running, title: str, step: Step) -> None:
    shown = await running.play(step)
    assert shown.lines
    assert len(shown.trace_id) == 32, f"{title} can be followed by its trace"
