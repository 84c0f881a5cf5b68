# ruff: noqa: ARG002, N802 - the contract names the methods and their parameters
"""rossio.document.v1.ChangeService: what changes in a space."""

import base64
import struct
from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Any

import rpc
from errors import Invalid
from rossio.document.v1 import service_pb2 as pb
from rossio.document.v1 import service_pb2_grpc

from document.adapters import wire
from document.application.ports import Changes, Nodes
from document.application.watch import CaughtUp, watch
from document.entrypoints.acting import Acting

SERVICE = "rossio.document.v1.ChangeService"
_TOKEN = struct.Struct(">Bq")
_VERSION = 1


class ChangeApi(service_pb2_grpc.ChangeServiceServicer):
    """The servicer."""

    def __init__(self, nodes: Nodes, changes: Changes, acting: Acting) -> None:
        self._nodes = nodes
        self._changes = changes
        self._acting = acting

    async def Watch(self, request: pb.WatchRequest, context: Any) -> AsyncIterator[pb.WatchResponse]:
        subject, since = self._acting.subject(rpc.caller()), _since(request.resume_token)
        async with aclosing(watch(self._nodes, self._changes, subject, request.space_id, since)) as changes:
            async for change in changes:
                answer = pb.WatchResponse(resume_token=_token(change.since))
                if isinstance(change, CaughtUp):
                    answer.caught_up = True
                elif change.gone:
                    answer.gone_node_id = change.node.node_id
                else:
                    answer.node.CopyFrom(wire.to_node(change.node))
                yield answer


def _token(since: datetime) -> str:
    return base64.urlsafe_b64encode(_TOKEN.pack(_VERSION, round(since.timestamp() * 1000))).decode()


def _since(token: str) -> datetime:
    """Raises:
    Invalid: it is no token of a feed.
    """
    if not token:
        return datetime.fromtimestamp(0, UTC)
    try:
        version, stamp = _TOKEN.unpack(base64.urlsafe_b64decode(token))
        if version == _VERSION:
            return datetime.fromtimestamp(stamp / 1000, UTC)
    except (ValueError, struct.error, OverflowError):
        pass
    raise Invalid("resume_token is not one that a feed gave", reason="RESUME_TOKEN")
