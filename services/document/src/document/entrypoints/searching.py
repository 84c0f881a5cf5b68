# ruff: noqa: ARG002, N802 - the contract names the methods and their parameters
"""rossio.document.v1.SearchService: what is found by words."""

from datetime import UTC, datetime
from typing import Any, Final

import rpc
from google.protobuf.timestamp_pb2 import Timestamp
from rossio.document.v1 import service_pb2 as pb
from rossio.document.v1 import service_pb2_grpc

from document.adapters import search_wire
from document.application.get_extraction import get_extraction
from document.application.ports import Nodes
from document.application.reindex import reindex
from document.application.search import Search
from document.application.search_ports import Epochs, Texts
from document.domain.search import Filters, Place, parse, words
from document.entrypoints.acting import Acting

SERVICE: Final = "rossio.document.v1.SearchService"
_PAGE: Final = 20
_MOST: Final = 100


class SearchApi(service_pb2_grpc.SearchServiceServicer):
    """The servicer."""

    def __init__(self, search: Search, nodes: Nodes, texts: Texts, epochs: Epochs, acting: Acting) -> None:
        self._search = search
        self._nodes = nodes
        self._texts = texts
        self._epochs = epochs
        self._acting = acting

    async def Search(self, request: pb.SearchRequest, context: Any) -> pb.SearchResponse:
        filters = Filters(
            space_id=request.space_id,
            folder_id=request.folder_id,
            folder=tuple(words(request.folder)),
            types=search_wire.read_types(request.types),
            labels=search_wire.read_labels(request.labels),
            author_id=request.author_id,
            modified_from=_time(request.modified_from),
            modified_until=_time(request.modified_until),
        )
        page = await self._search(
            self._acting.subject(rpc.caller()),
            parse(request.query),
            filters,
            _place(request),
            rpc.page_size(request, default=_PAGE, most=_MOST),
        )
        after = page.after
        token = rpc.page_token(request, after.part, after.order, after.node_id) if after else ""
        return pb.SearchResponse(results=map(search_wire.to_result, page.found), next_page_token=token)

    async def GetExtraction(self, request: pb.GetExtractionRequest, context: Any) -> pb.GetExtractionResponse:
        subject = self._acting.subject(rpc.caller())
        extracted = await get_extraction(self._nodes, self._texts, subject, request.node_id)
        return pb.GetExtractionResponse(extraction=search_wire.to_extraction(extracted))

    async def Reindex(self, request: pb.ReindexRequest, context: Any) -> pb.ReindexResponse:
        caller = rpc.caller()
        act, may = self._acting.act(caller, rpc.derived_id()), caller.may_act_for(request.entity_id)
        await reindex(self._epochs, self._texts, act, request.entity_id, extract=request.extract, may=may)
        return pb.ReindexResponse()


def _place(request: pb.SearchRequest) -> Place | None:
    token = rpc.read_page_token(request)
    return Place(int(token[0]), int(token[1]), str(token[2])) if token else None


def _time(timestamp: Timestamp) -> datetime | None:
    return timestamp.ToDatetime(UTC) if timestamp.ByteSize() else None
