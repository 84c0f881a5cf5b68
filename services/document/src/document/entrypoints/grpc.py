# ruff: noqa: ARG002, N802 - the contract names the methods and their parameters
"""rossio.document.v1.DocumentService: requests to use cases, and what they return to responses."""

from collections.abc import AsyncIterator, Callable
from datetime import datetime
from typing import Any

import rpc
from errors import Invalid
from rossio.document.v1 import service_pb2 as pb
from rossio.document.v1 import service_pb2_grpc

from document.adapters import wire
from document.adapters.directory import DirectoryOfView
from document.application.access import open_node
from document.application.create_folder import create_folder
from document.application.create_space import create_space
from document.application.download import download
from document.application.list_folder import list_folder
from document.application.list_grants import list_grants
from document.application.list_spaces import list_spaces
from document.application.list_versions import list_versions
from document.application.ports import Content, Nodes, Position
from document.application.share import share
from document.application.trash import trash
from document.application.unshare import unshare
from document.application.upload import NewFile, NewVersion, Upload
from document.domain.content import Announced
from document.domain.node import Act
from document.domain.permissions import Subject

SERVICE = "rossio.document.v1.DocumentService"


class DocumentApi(service_pb2_grpc.DocumentServiceServicer):
    """The servicer; `now` gives the time in whole milliseconds, as the store keeps it."""

    def __init__(
        self,
        nodes: Nodes,
        content: Content,
        directory: DirectoryOfView,
        *,
        max_file_size: int,
        now: Callable[[], datetime],
    ) -> None:
        self._nodes = nodes
        self._content = content
        self._directory = directory
        self._upload = Upload(nodes, content, max_file_size)
        self._now = now

    def _subject(self) -> Subject:
        caller = rpc.caller()
        return self._directory.subject(caller.subject, caller.entity_id)

    def _act(self) -> Act:
        return Act(rpc.derived_id(), self._subject(), self._now())

    async def CreateSpace(self, request: pb.CreateSpaceRequest, context: Any) -> pb.CreateSpaceResponse:
        top = await create_space(self._nodes, self._act(), request.name, personal=request.personal)
        return pb.CreateSpaceResponse(space=wire.to_space(top))

    async def ListSpaces(self, request: pb.ListSpacesRequest, context: Any) -> pb.ListSpacesResponse:
        after, *_ = rpc.read_page_token(request) or ("",)
        page = await list_spaces(self._nodes, self._directory, self._subject(), str(after), rpc.page_size(request))
        token = rpc.page_token(request, page.nodes[-1].space_id) if page.after else ""
        return pb.ListSpacesResponse(spaces=map(wire.to_space, page.nodes), next_page_token=token)

    async def CreateFolder(self, request: pb.CreateFolderRequest, context: Any) -> pb.CreateFolderResponse:
        folder = await create_folder(self._nodes, self._act(), request.parent_id, request.name)
        return pb.CreateFolderResponse(node=wire.to_node(folder))

    async def ListFolder(self, request: pb.ListFolderRequest, context: Any) -> pb.ListFolderResponse:
        page = await list_folder(
            self._nodes, self._subject(), request.node_id, _position(request), rpc.page_size(request)
        )
        token = rpc.page_token(request, *page.after) if page.after else ""
        return pb.ListFolderResponse(nodes=map(wire.to_node, page.nodes), next_page_token=token)

    async def GetNode(self, request: pb.GetNodeRequest, context: Any) -> pb.GetNodeResponse:
        opened = await open_node(self._nodes, self._subject(), request.node_id)
        return pb.GetNodeResponse(node=wire.to_node(opened.node), role=wire.to_role(opened.role))

    async def Upload(self, request_iterator: AsyncIterator[pb.UploadRequest], context: Any) -> pb.UploadResponse:
        header = (await anext(request_iterator)).header
        act = self._act()
        announced = Announced.read(size=header.size, sha256=header.sha256, media_type=header.media_type)
        node = await self._upload(act, _target(header), announced, _chunks(request_iterator))
        return pb.UploadResponse(node=wire.to_node(node))

    async def Download(self, request: pb.DownloadRequest, context: Any) -> AsyncIterator[pb.DownloadResponse]:
        opening = await download(
            self._nodes,
            self._content,
            self._subject(),
            request.node_id,
            number=request.version,
            offset=request.offset,
            length=request.length,
        )
        yield pb.DownloadResponse(node=wire.to_node(opening.node))
        async for chunk in opening.chunks:
            yield pb.DownloadResponse(chunk=chunk)

    async def ListVersions(self, request: pb.ListVersionsRequest, context: Any) -> pb.ListVersionsResponse:
        before, *_ = rpc.read_page_token(request) or (None,)
        versions, rest = await list_versions(
            self._nodes, self._subject(), request.node_id, int(before) if before else None, rpc.page_size(request)
        )
        token = rpc.page_token(request, rest) if rest else ""
        return pb.ListVersionsResponse(versions=map(wire.to_version, versions), next_page_token=token)

    async def Share(self, request: pb.ShareRequest, context: Any) -> pb.ShareResponse:
        grantee, role = wire.read_grantee(request.grantee), wire.read_role(request.role)
        grant = await share(self._nodes, self._directory, self._act(), request.node_id, grantee, role)
        return pb.ShareResponse(grant=wire.to_grant(request.node_id, grant))

    async def Unshare(self, request: pb.UnshareRequest, context: Any) -> pb.UnshareResponse:
        await unshare(self._nodes, self._act(), request.node_id, request.grant_id)
        return pb.UnshareResponse()

    async def ListGrants(self, request: pb.ListGrantsRequest, context: Any) -> pb.ListGrantsResponse:
        after, *_ = rpc.read_page_token(request) or ("",)
        grants, rest = await list_grants(
            self._nodes, self._subject(), request.node_id, str(after), rpc.page_size(request)
        )
        token = rpc.page_token(request, rest) if rest else ""
        return pb.ListGrantsResponse(
            grants=[wire.to_grant(node_id, grant) for node_id, grant in grants], next_page_token=token
        )

    async def Trash(self, request: pb.TrashRequest, context: Any) -> pb.TrashResponse:
        await trash(self._nodes, self._act(), request.node_id)
        return pb.TrashResponse()


def _position(request: pb.ListFolderRequest) -> Position | None:
    token = rpc.read_page_token(request)
    return (str(token[0]), str(token[1])) if token else None


def _target(header: pb.UploadHeader) -> NewFile | NewVersion:
    """Raises:
    Invalid: it is not one of a new file and a new version.
    """
    match bool(header.parent_id and header.name), bool(header.node_id):
        case True, False:
            return NewFile(header.parent_id, header.name)
        case False, True:
            return NewVersion(header.node_id, header.etag)
        case _:
            raise Invalid("say either parent_id and name, or node_id", reason="TARGET")


async def _chunks(parts: AsyncIterator[pb.UploadRequest]) -> AsyncIterator[bytes]:
    async for part in parts:
        if part.WhichOneof("part") != "chunk":
            raise Invalid("a header comes once, first", reason="HEADER")
        yield part.chunk
