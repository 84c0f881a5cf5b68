import pytest
from telemetry import logs


@pytest.fixture(autouse=True)
def _logs() -> None:
    """The format and level that tests read, whatever those before them in this process have set."""
    logs.start("test", "info", pretty=False)
