"""How to reach Kafka."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Kafka:
    """What every client of one process has in common."""

    bootstrap: str
    """host:port, comma separated."""
    client_id: str = "rossio"
    idempotence: bool = True
    """False on the embedded broker of the wheel, which has no idempotent producers."""

    def connection(self) -> dict[str, Any]:
        """The arguments of any client of aiokafka."""
        return {"bootstrap_servers": self.bootstrap, "client_id": self.client_id}

    def producer(self) -> dict[str, Any]:
        """The arguments of a producer: what it has confirmed is replicated."""
        return {**self.connection(), "acks": "all", "enable_idempotence": self.idempotence}
