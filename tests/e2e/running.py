"""What the end-to-end tests are given."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import telemetry
from cli.demo.stage import Cast, Shown, Stage
from cli.demo.story import Step
from devstack.program import Program
from devstack.suite import Suite
from testkit import sms_provider
from testkit.ministry import write_csv


@dataclass(frozen=True, slots=True)
class Running:
    """The suite, its stage, and where its programs write spans and logs."""

    suite: Suite
    stage: Stage
    spans: Path
    sms: Program
    """The simulator of the SMS provider."""

    async def play(self, step: Step) -> Shown:
        """Carries a step of the demo through, in a trace of its own."""
        with telemetry.observe(f"demo.{step.__name__}"):
            return await step(self.stage)

    def logs(self) -> str:
        return "".join(path.read_text(errors="replace") for path in self.suite.folder.rglob("*.log"))


@asynccontextmanager
async def run_suite(folder: Path, kafka: str, *, otlp_endpoint: str | None = None) -> AsyncIterator[Running]:
    """The suite on the broker with 1,200 people loaded, every trace sampled into a file, or sent to a collector."""
    spans = (
        {"OTLP_ENDPOINT": otlp_endpoint}
        if otlp_endpoint
        else {"ROSSIO_SPAN_FILE": str(folder / "state" / "spans.jsonl")}
    )
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {"KAFKA_BOOTSTRAP": kafka, **spans}.items():
            patch.setitem(os.environ, name, value)
        ministry = write_csv(folder / "csv")
        own = telemetry.start(
            "rossio-e2e", version="0", otlp_endpoint=otlp_endpoint, sample_ratio=1.0, log_level="warning"
        )
        try:
            sms = sms_provider.beside(folder)
            async with Suite(folder, free_ports=True, beside=[sms]) as suite:
                await suite.load(folder / "csv")
                async with Stage.open(suite.stack, Cast(ministry)) as stage:
                    yield Running(suite, stage, suite.spans, sms.program)
        finally:
            own.shutdown()
