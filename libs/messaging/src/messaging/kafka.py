"""How to reach Kafka."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Kafka:
    """Settings that every client of one process shares."""

    bootstrap: str
    """host:port, comma separated."""
    client_id: str = "rossio"
    idempotence: bool = True
    """False on the embedded broker of the wheel, which has no idempotent producers."""

    def connection(self) -> dict[str, Any]:
        """The arguments that all clients of aiokafka take."""
        return {"bootstrap_servers": self.bootstrap, "client_id": self.client_id}
