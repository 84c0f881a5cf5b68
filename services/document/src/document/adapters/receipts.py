"""What was done to keys, in MongoDB, and the receipts that the service signs."""

import os
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from errors import Conflict
from messaging import audited
from rossio.document.v1 import document_pb2
from store import Collection, OutboxRecord, known

from document.domain.key_acts import KeyAct, Receipt, Rotated, Shredded


class Signer:
    """Signs with the Ed25519 key in a file that only its owner reads, made when it is not there."""

    def __init__(self, path: Path) -> None:
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            draft = path.with_suffix(f".{os.getpid()}")
            draft.touch(mode=0o600)
            draft.write_bytes(Ed25519PrivateKey.generate().private_bytes_raw())
            draft.rename(path)
        self._key = Ed25519PrivateKey.from_private_bytes(path.read_bytes())

    def receipt(self, statement: bytes) -> Receipt:
        public = self._key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        return Receipt(statement, self._key.sign(statement), public)


class KeyActStore:
    """The port `KeyActs`."""

    def __init__(self, acts: Collection, signer: Signer) -> None:
        self._acts = acts
        self._signer = signer

    async def rotated(self, act_id: str) -> Rotated | None:
        document = await self._acts.get(act_id)
        return Rotated(document["contents"]) if document else None

    async def receipt(self, act_id: str) -> Receipt | None:
        document = await self._acts.get(act_id)
        return known(Receipt, document["receipt"]) if document else None

    async def add(self, key_act: KeyAct) -> Receipt:
        receipt = self._signer.receipt(_statement(key_act))
        document = {
            "_id": key_act.act_id,
            "entity_id": key_act.entity_id,
            "contents": key_act.done.contents if isinstance(key_act.done, Rotated) else 0,
            "receipt": {
                "statement": receipt.statement,
                "signature": receipt.signature,
                "public_key": receipt.public_key,
            },
        }
        try:
            await self._acts.insert(document, [_audited(key_act)])
        except Conflict:
            return await self.receipt(key_act.act_id) or receipt
        return receipt


def _statement(key_act: KeyAct) -> bytes:
    if isinstance(key_act.done, Rotated):
        return b""
    done = key_act.done
    receipt = document_pb2.ShreddingReceipt(
        entity_id=key_act.entity_id,
        reason=done.reason,
        shredded_by=key_act.actor_id,
        retired_master_key=done.retired_master_key,
        master_key=done.master_key,
        final=done.final,
    )
    receipt.shredded_at.FromDatetime(key_act.at)
    return receipt.SerializeToString(deterministic=True)


def _audited(key_act: KeyAct) -> OutboxRecord:
    match key_act.done:
        case Rotated(contents):
            name, details = "document.keys.rotate", {"contents": str(contents)}
        case Shredded(reason, retired, _, final):
            name = "document.keys.shred"
            details = {"reason": reason, "retired_master_key": retired, "final": str(final).lower()}
    return audited(
        name,
        at=key_act.at,
        entity_id=key_act.entity_id,
        actor=key_act.actor_id,
        actor_entity_id=key_act.actor_entity_id,
        resource=key_act.entity_id,
        details=details,
    )
