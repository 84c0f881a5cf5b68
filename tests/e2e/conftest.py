"""One whole suite on the real Kafka for all end-to-end tests: six programs and the synthetic ministry."""

import os
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
import telemetry
from cli.demo.stage import Cast, Stage
from devstack.suite import Suite
from testkit import sms_provider
from testkit.ministry import write_csv

from tests.e2e.running import Running


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def running(kafka: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    """The suite with 1,200 people loaded, every trace sampled; KAFKA_BOOTSTRAP names the run's shared Kafka."""
    folder = tmp_path_factory.mktemp("suite")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(os.environ, "KAFKA_BOOTSTRAP", kafka)
        patch.setitem(os.environ, "ROSSIO_SPAN_FILE", str(folder / "state" / "spans.jsonl"))
        ministry = write_csv(folder / "csv")
        own = telemetry.start("rossio-e2e", version="0", otlp_endpoint=None, sample_ratio=1.0, log_level="warning")
        try:
            async with Suite(folder, free_ports=True, beside=[sms_provider.beside(folder)]) as suite:
                await suite.load(folder / "csv")
                async with Stage.open(suite.stack, Cast(ministry)) as stage:
                    yield Running(suite, stage, suite.spans)
        finally:
            own.shutdown()
