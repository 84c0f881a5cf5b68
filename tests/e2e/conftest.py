"""One whole suite on the real Kafka for all end-to-end tests: six programs and the synthetic ministry."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.e2e.running import Running, run_suite


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def running(kafka: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    """The suite; KAFKA_BOOTSTRAP names the run's shared Kafka."""
    async with run_suite(tmp_path_factory.mktemp("suite"), kafka) as made:
        yield made
