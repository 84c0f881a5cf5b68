"""Verifies a chain of audit records on the client's side, sharing no code with the service that keeps it.

The rule stands in rossio/governance/v1/audit.proto: a record's hash is SHA-256 over the hash before
it (32 zero bytes before the first), its sequence (8 bytes, big endian) and its bytes.
"""

import hashlib
import hmac

from errors import Invalid
from google.protobuf.message import DecodeError
from rossio.governance.v1.audit_pb2 import ActionAudited, ChainedRecord


class ChainVerifier:
    """Takes the records of one entity's chain in order; `length` and `hash` are those of the part that held."""

    def __init__(self) -> None:
        self.length = 0
        self.hash = bytes(32)
        self._entity_id: str | None = None
        self._seen: set[str] = set()

    def take(self, record: ChainedRecord) -> None:
        """Checks the next record.

        Raises:
            Invalid: it was changed, left out, put in, moved from another chain or stands there twice.
        """
        sequence = self.length + 1
        if record.sequence != sequence:
            raise _broken(sequence, f"number {record.sequence} stands there")
        expected = hashlib.sha256(self.hash + sequence.to_bytes(8, "big") + record.record).digest()
        if not hmac.compare_digest(expected, record.hash):
            raise _broken(sequence, "its hash is not that of its bytes and of what is before it")
        try:
            action = ActionAudited.FromString(record.record)
        except DecodeError:
            raise _broken(sequence, "it is no audit record") from None
        if self._entity_id not in {None, action.entity_id}:
            raise _broken(sequence, "it belongs to another entity")
        if action.audit_id in self._seen:
            raise _broken(sequence, "it stands there twice")
        self.length, self.hash, self._entity_id = sequence, expected, action.entity_id
        self._seen.add(action.audit_id)


def _broken(sequence: int, why: str) -> Invalid:
    return Invalid(f"the chain breaks at record {sequence}: {why}", reason="CHAIN_BROKEN", sequence=str(sequence))
