"""audit.v1, from every service."""

from collections.abc import Sequence

from messaging import Delivery

from governance.adapters import wire
from governance.application.append import append
from governance.application.ports import Chains

AUDIT_STREAM = "audit.v1"


class AuditConsumer:
    """Takes records in batches; one that can never be chained fails its batch, and then itself alone."""

    def __init__(self, chains: Chains) -> None:
        self._chains = chains

    async def handle(self, deliveries: Sequence[Delivery]) -> None:
        await append(self._chains, wire.read_entries(deliveries))
