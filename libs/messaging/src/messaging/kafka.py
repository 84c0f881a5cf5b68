"""How to reach Kafka."""

import asyncio
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaConsumer


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


async def close(client: AIOKafkaConsumer) -> None:
    """Stops a consuming client, which may end as cancelled when a fetch of its own was under way."""
    try:
        await client.stop()
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
