# ruff: noqa: ARG002, N802 - the contract names the methods and their parameters
"""rossio.document.v1.TransferService: uploads in several goes."""

from collections.abc import AsyncIterator
from typing import Any

import rpc
from errors import Invalid
from rossio.document.v1 import service_pb2 as pb
from rossio.document.v1 import service_pb2_grpc

from document.adapters import wire
from document.application.resumable import ResumableUpload
from document.domain.node import Act
from document.entrypoints.acting import Acting

SERVICE = "rossio.document.v1.TransferService"


class TransferApi(service_pb2_grpc.TransferServiceServicer):
    """The servicer."""

    def __init__(self, uploads: ResumableUpload, acting: Acting) -> None:
        self._uploads = uploads
        self._acting = acting

    def _act(self, act_id: str = "") -> Act:
        return self._acting.act(rpc.caller(), act_id)

    async def CreateUpload(self, request: pb.CreateUploadRequest, context: Any) -> pb.CreateUploadResponse:
        announced, target = wire.read_announced(request.header), wire.read_target(request.header)
        progress = await self._uploads.begin(self._act(rpc.derived_id()), target, announced)
        return pb.CreateUploadResponse(upload=wire.to_upload(progress))

    async def AppendUpload(
        self, request_iterator: AsyncIterator[pb.AppendUploadRequest], context: Any
    ) -> pb.AppendUploadResponse:
        header = (await anext(request_iterator)).header
        progress = await self._uploads.append(self._act(), header.upload_id, header.offset, _chunks(request_iterator))
        return pb.AppendUploadResponse(upload=wire.to_upload(progress))

    async def GetUpload(self, request: pb.GetUploadRequest, context: Any) -> pb.GetUploadResponse:
        progress = await self._uploads.look(self._act(), request.upload_id)
        return pb.GetUploadResponse(upload=wire.to_upload(progress))

    async def DeleteUpload(self, request: pb.DeleteUploadRequest, context: Any) -> pb.DeleteUploadResponse:
        await self._uploads.give_up(self._act(), request.upload_id)
        return pb.DeleteUploadResponse()


async def _chunks(parts: AsyncIterator[pb.AppendUploadRequest]) -> AsyncIterator[bytes]:
    async for part in parts:
        if part.WhichOneof("part") != "chunk":
            raise Invalid("a header comes once, first", reason="HEADER")
        yield part.chunk
