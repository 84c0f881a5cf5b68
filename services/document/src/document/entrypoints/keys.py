# ruff: noqa: ARG002, N802 - the contract names the methods and their parameters
"""rossio.document.v1.KeyService: the keys of an entity's content."""

from typing import Any

import rpc
from rossio.document.v1 import service_pb2 as pb
from rossio.document.v1 import service_pb2_grpc

from document.application.ports import KeyActs, Keys
from document.application.rotate_keys import rotate_keys
from document.application.shred_entity import shred_entity
from document.domain.node import Act
from document.entrypoints.acting import Acting

SERVICE = "rossio.document.v1.KeyService"


class KeyApi(service_pb2_grpc.KeyServiceServicer):
    """The servicer."""

    def __init__(self, keys: Keys, acts: KeyActs, acting: Acting) -> None:
        self._keys = keys
        self._acts = acts
        self._acting = acting

    def _act(self) -> Act:
        return self._acting.act(rpc.caller(), rpc.derived_id())

    async def RotateKeys(self, request: pb.RotateKeysRequest, context: Any) -> pb.RotateKeysResponse:
        may = rpc.caller().may_act_for(request.entity_id)
        contents = await rotate_keys(self._keys, self._acts, self._act(), request.entity_id, may=may)
        return pb.RotateKeysResponse(contents=contents)

    async def ShredEntity(self, request: pb.ShredEntityRequest, context: Any) -> pb.ShredEntityResponse:
        may = rpc.caller().may_act_for(request.entity_id)
        receipt = await shred_entity(self._keys, self._acts, self._act(), request.entity_id, request.reason, may=may)
        return pb.ShredEntityResponse(
            receipt=receipt.statement, signature=receipt.signature, public_key=receipt.public_key
        )
