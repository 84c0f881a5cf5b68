"""What the end-to-end tests are given."""

from dataclasses import dataclass
from pathlib import Path

import telemetry
from cli.demo.stage import Shown, Stage
from cli.demo.story import Step
from devstack.suite import Suite


@dataclass(frozen=True, slots=True)
class Running:
    """The suite, its stage, and where its programs write spans and logs."""

    suite: Suite
    stage: Stage
    spans: Path

    async def play(self, step: Step) -> Shown:
        """Carries a step of the demo through, in a trace of its own."""
        with telemetry.observe(f"demo.{step.__name__}"):
            return await step(self.stage)

    def logs(self) -> str:
        return "".join(path.read_text(errors="replace") for path in self.suite.folder.rglob("*.log"))
