# ruff: noqa: ARG002, N802 - the contract names the methods and their parameters
"""rossio.document.v1.DocumentService: requests to use cases, and what they return to responses."""

from collections.abc import AsyncIterator
from datetime import UTC, timedelta
from typing import Any, Final

import rpc
from errors import Invalid
from rossio.document.v1 import service_pb2 as pb
from rossio.document.v1 import service_pb2_grpc

from document.adapters import wire
from document.adapters.directory import DirectoryOfView
from document.application.access import open_node
from document.application.change_versions import delete_version, freeze_version, restore_version
from document.application.copy import copy
from document.application.create_folder import create_folder
from document.application.create_space import create_space
from document.application.download import download
from document.application.links import CreateLink, Wanted, list_links, revoke_link
from document.application.list_folder import list_folder
from document.application.list_grants import list_grants
from document.application.list_shared import list_shared
from document.application.list_spaces import list_spaces
from document.application.list_trash import list_trash
from document.application.list_versions import list_versions
from document.application.lock import lock, unlock
from document.application.meter import Meter
from document.application.move import MoveNode
from document.application.open_link import OpenLink
from document.application.ports import Content, Links, Moves, NodePage, Nodes, Position
from document.application.purge import purge
from document.application.quota import get_quota, set_entity_quota, set_space_quota
from document.application.recount import Recount
from document.application.rename import rename
from document.application.restore import restore
from document.application.set_label import set_label
from document.application.share import share
from document.application.trash import trash
from document.application.unshare import unshare
from document.application.upload import Upload
from document.application.why import why
from document.domain.node import Act
from document.domain.permissions import Subject, label_of
from document.domain.quota import UNLIMITED
from document.entrypoints.acting import Acting

SERVICE = "rossio.document.v1.DocumentService"
_LEASE: Final = timedelta(minutes=30)
_LONGEST_LEASE: Final = timedelta(days=1)


class DocumentApi(service_pb2_grpc.DocumentServiceServicer):
    """The servicer."""

    def __init__(
        self,
        nodes: Nodes,
        moves: Moves,
        content: Content,
        directory: DirectoryOfView,
        links: Links,
        create_link: CreateLink,
        open_link: OpenLink,
        meter: Meter,
        upload: Upload,
        acting: Acting,
    ) -> None:
        self._nodes = nodes
        self._content = content
        self._directory = directory
        self._upload = upload
        self._meter = meter
        self._recount = Recount(meter)
        self._move = MoveNode(nodes, moves)
        self._links = links
        self._create_link = create_link
        self._open_link = open_link
        self._acting = acting

    def _subject(self) -> Subject:
        return self._acting.subject(rpc.caller())

    def _act(self, etag: str = "") -> Act:
        return self._acting.act(rpc.caller(), rpc.derived_id(), etag)

    async def CreateSpace(self, request: pb.CreateSpaceRequest, context: Any) -> pb.CreateSpaceResponse:
        top = await create_space(
            self._nodes,
            self._directory,
            self._act(),
            request.name,
            personal=request.personal,
            team_group_id=request.team_group_id,
        )
        return pb.CreateSpaceResponse(space=wire.to_space(top))

    async def ListSpaces(self, request: pb.ListSpacesRequest, context: Any) -> pb.ListSpacesResponse:
        after, *_ = rpc.read_page_token(request) or ("",)
        page = await list_spaces(self._nodes, self._directory, self._subject(), str(after), rpc.page_size(request))
        token = rpc.page_token(request, page.nodes[-1].space_id) if page.after else ""
        return pb.ListSpacesResponse(spaces=map(wire.to_space, page.nodes), next_page_token=token)

    async def ListShared(self, request: pb.ListSharedRequest, context: Any) -> pb.ListSharedResponse:
        page = await list_shared(
            self._nodes, self._directory, self._subject(), _position(request), rpc.page_size(request)
        )
        return pb.ListSharedResponse(nodes=map(wire.to_node, page.nodes), next_page_token=_token(request, page))

    async def CreateFolder(self, request: pb.CreateFolderRequest, context: Any) -> pb.CreateFolderResponse:
        folder = await create_folder(self._nodes, self._act(), request.parent_id, request.name)
        return pb.CreateFolderResponse(node=wire.to_node(folder))

    async def ListFolder(self, request: pb.ListFolderRequest, context: Any) -> pb.ListFolderResponse:
        page = await list_folder(
            self._nodes, self._subject(), request.node_id, _position(request), rpc.page_size(request)
        )
        return pb.ListFolderResponse(nodes=map(wire.to_node, page.nodes), next_page_token=_token(request, page))

    async def GetNode(self, request: pb.GetNodeRequest, context: Any) -> pb.GetNodeResponse:
        opened = await open_node(self._nodes, self._subject(), request.node_id)
        label = wire.to_label(label_of(opened.path))
        return pb.GetNodeResponse(node=wire.to_node(opened.node), role=wire.to_role(opened.role), label=label)

    async def Upload(self, request_iterator: AsyncIterator[pb.UploadRequest], context: Any) -> pb.UploadResponse:
        header = (await anext(request_iterator)).header
        act = self._act()
        announced, target = wire.read_announced(header), wire.read_target(header)
        node = await self._upload(act, target, announced, _chunks(request_iterator))
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
        act = self._act(request.etag)
        grant = await share(self._nodes, self._directory, act, request.node_id, grantee, role, deny=request.deny)
        return pb.ShareResponse(grant=wire.to_grant(request.node_id, grant))

    async def Unshare(self, request: pb.UnshareRequest, context: Any) -> pb.UnshareResponse:
        await unshare(self._nodes, self._act(request.etag), request.node_id, request.grant_id)
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

    async def SetLabel(self, request: pb.SetLabelRequest, context: Any) -> pb.SetLabelResponse:
        label = wire.read_label(request.label)
        node = await set_label(self._nodes, self._act(request.etag), request.node_id, label)
        return pb.SetLabelResponse(node=wire.to_node(node))

    async def Why(self, request: pb.WhyRequest, context: Any) -> pb.WhyResponse:
        caller = about = self._subject()
        if request.HasField("about"):
            about = self._directory.subject_of(wire.read_grantee(request.about), request.entity_id)
        decision = await why(self._nodes, caller, request.node_id, about)
        return pb.WhyResponse(role=wire.to_role(decision.role), reasons=map(wire.to_reason, decision.reasons))

    async def Rename(self, request: pb.RenameRequest, context: Any) -> pb.RenameResponse:
        node = await rename(self._nodes, self._act(request.etag), request.node_id, request.name)
        return pb.RenameResponse(node=wire.to_node(node))

    async def Move(self, request: pb.MoveRequest, context: Any) -> pb.MoveResponse:
        node = await self._move(self._act(request.etag), request.node_id, request.parent_id, request.name)
        return pb.MoveResponse(node=wire.to_node(node))

    async def Copy(self, request: pb.CopyRequest, context: Any) -> pb.CopyResponse:
        node = await copy(self._nodes, self._content, self._act(), request.node_id, request.parent_id, request.name)
        return pb.CopyResponse(node=wire.to_node(node))

    async def Trash(self, request: pb.TrashRequest, context: Any) -> pb.TrashResponse:
        await trash(self._nodes, self._act(request.etag), request.node_id)
        return pb.TrashResponse()

    async def Restore(self, request: pb.RestoreRequest, context: Any) -> pb.RestoreResponse:
        node = await restore(self._nodes, self._act(request.etag), request.node_id, request.name)
        return pb.RestoreResponse(node=wire.to_node(node))

    async def ListTrash(self, request: pb.ListTrashRequest, context: Any) -> pb.ListTrashResponse:
        page = await list_trash(
            self._nodes, self._subject(), request.space_id, _position(request), rpc.page_size(request)
        )
        return pb.ListTrashResponse(nodes=map(wire.to_node, page.nodes), next_page_token=_token(request, page))

    async def Purge(self, request: pb.PurgeRequest, context: Any) -> pb.PurgeResponse:
        await purge(self._nodes, self._act(request.etag), request.node_id)
        return pb.PurgeResponse()

    async def RestoreVersion(self, request: pb.RestoreVersionRequest, context: Any) -> pb.RestoreVersionResponse:
        node = await restore_version(self._nodes, self._act(request.etag), request.node_id, request.number)
        return pb.RestoreVersionResponse(node=wire.to_node(node))

    async def FreezeVersion(self, request: pb.FreezeVersionRequest, context: Any) -> pb.FreezeVersionResponse:
        act = self._act(request.etag)
        node = await freeze_version(self._nodes, act, request.node_id, request.number, frozen=not request.thaw)
        return pb.FreezeVersionResponse(node=wire.to_node(node))

    async def DeleteVersion(self, request: pb.DeleteVersionRequest, context: Any) -> pb.DeleteVersionResponse:
        node = await delete_version(self._nodes, self._act(request.etag), request.node_id, request.number)
        return pb.DeleteVersionResponse(node=wire.to_node(node))

    async def Lock(self, request: pb.LockRequest, context: Any) -> pb.LockResponse:
        lease = timedelta(seconds=request.lease_seconds) or _LEASE
        if lease > _LONGEST_LEASE:
            raise Invalid("a lock ends within a day; prolong it", reason="LEASE")
        node = await lock(self._nodes, self._act(request.etag), request.node_id, lease)
        return pb.LockResponse(node=wire.to_node(node))

    async def Unlock(self, request: pb.UnlockRequest, context: Any) -> pb.UnlockResponse:
        node = await unlock(self._nodes, self._act(request.etag), request.node_id)
        return pb.UnlockResponse(node=wire.to_node(node))

    async def CreateLink(self, request: pb.CreateLinkRequest, context: Any) -> pb.CreateLinkResponse:
        wanted = Wanted(request.expires_at.ToDatetime(UTC), request.max_uses, request.password)
        link, text = await self._create_link(self._act(), rpc.request_id(), request.node_id, wanted)
        return pb.CreateLinkResponse(link=wire.to_link(link), text=text, url=self._create_link.url + text)

    async def ListLinks(self, request: pb.ListLinksRequest, context: Any) -> pb.ListLinksResponse:
        links, after = await list_links(
            self._nodes, self._links, self._subject(), request.node_id, _position(request), rpc.page_size(request)
        )
        token = rpc.page_token(request, *after) if after else ""
        return pb.ListLinksResponse(links=map(wire.to_link, links), next_page_token=token)

    async def RevokeLink(self, request: pb.RevokeLinkRequest, context: Any) -> pb.RevokeLinkResponse:
        await revoke_link(self._nodes, self._links, self._act(), request.node_id, request.link_id)
        return pb.RevokeLinkResponse()

    async def OpenLink(self, request: pb.OpenLinkRequest, context: Any) -> AsyncIterator[pb.OpenLinkResponse]:
        opening = await self._open_link(
            self._act(), request.text, request.password, offset=request.offset, length=request.length
        )
        yield pb.OpenLinkResponse(node=wire.to_linked(opening.node))
        async for chunk in opening.chunks:
            yield pb.OpenLinkResponse(chunk=chunk)

    async def GetQuota(self, request: pb.GetQuotaRequest, context: Any) -> pb.GetQuotaResponse:
        space, entity = await get_quota(self._nodes, self._meter, self._subject(), request.space_id)
        return pb.GetQuotaResponse(space=wire.to_usage(space), entity=wire.to_usage(entity) if entity else None)

    async def SetSpaceQuota(self, request: pb.SetSpaceQuotaRequest, context: Any) -> pb.SetSpaceQuotaResponse:
        usage = await set_space_quota(
            self._nodes,
            self._meter,
            self._act(),
            request.space_id,
            _limit(request.limit),
            rpc.caller().may_act_for,
        )
        return pb.SetSpaceQuotaResponse(space=wire.to_usage(usage))

    async def SetEntityQuota(self, request: pb.SetEntityQuotaRequest, context: Any) -> pb.SetEntityQuotaResponse:
        usage = await set_entity_quota(self._meter, self._act(), request.entity_id, _limit(request.limit))
        return pb.SetEntityQuotaResponse(entity=wire.to_usage(usage))

    async def RecountUsage(self, request: pb.RecountUsageRequest, context: Any) -> pb.RecountUsageResponse:
        may = rpc.caller().may_act_for(request.entity_id)
        found = await self._recount(self._act(), request.entity_id, dry_run=request.dry_run, may=may)
        return pb.RecountUsageResponse(recounted=map(wire.to_recounted, found))


def _limit(limit: int) -> int:
    if limit > UNLIMITED:
        raise Invalid(f"a limit is at most {UNLIMITED} bytes", reason="LIMIT")
    return limit


def _token(request: pb.ListFolderRequest | pb.ListSharedRequest | pb.ListTrashRequest, page: NodePage) -> str:
    return rpc.page_token(request, *page.after) if page.after else ""


def _position(
    request: pb.ListFolderRequest | pb.ListSharedRequest | pb.ListTrashRequest | pb.ListLinksRequest,
) -> Position | None:
    token = rpc.read_page_token(request)
    return (str(token[0]), str(token[1])) if token else None


async def _chunks(parts: AsyncIterator[pb.UploadRequest]) -> AsyncIterator[bytes]:
    async for part in parts:
        if part.WhichOneof("part") != "chunk":
            raise Invalid("a header comes once, first", reason="HEADER")
        yield part.chunk
