# ruff: noqa: ARG002, N802 - the contract names the methods and their parameters
"""rossio.document.v1.ChangeService: what changes in a space."""

import base64
import hashlib
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
from document.application.watch import CaughtUp, Since, Watching, watch
from document.entrypoints.acting import Acting

SERVICE = "rossio.document.v1.ChangeService"
_HEAD = struct.Struct(">Bq")
_GROUPS = 8
_VERSIONS = {1: 0, 2: _GROUPS}
"""Of tokens: how many bytes follow the head. The first version did not know of groups."""


class ChangeApi(service_pb2_grpc.ChangeServiceServicer):
    """The servicer."""

    def __init__(self, nodes: Nodes, changes: Changes, acting: Acting) -> None:
        self._nodes = nodes
        self._changes = changes
        self._acting = acting

    async def Watch(self, request: pb.WatchRequest, context: Any) -> AsyncIterator[pb.WatchResponse]:
        caller, since = rpc.caller(), _since(request.resume_token)
        watching = Watching(lambda: self._acting.subject(caller), lambda: self._groups(caller), self._acting.now)
        async with aclosing(watch(self._nodes, self._changes, watching, request.space_id, since)) as changes:
            async for change in changes:
                answer = pb.WatchResponse(resume_token=_token(change.since))
                if isinstance(change, CaughtUp):
                    answer.caught_up = True
                elif change.gone:
                    answer.gone_node_id = change.node.node_id
                else:
                    answer.node.CopyFrom(wire.to_node(change.node))
                yield answer

    def _groups(self, caller: rpc.Caller) -> bytes:
        groups = self._acting.directory.groups_of(caller.subject) if caller.kind == "person" else ()
        return hashlib.blake2b("\0".join((caller.entity_id, *groups)).encode(), digest_size=_GROUPS).digest()


def _token(since: Since) -> str:
    packed = _HEAD.pack(2, round(since.at.timestamp() * 1000)) + (since.groups or bytes(_GROUPS))
    return base64.urlsafe_b64encode(packed).decode()


def _since(token: str) -> Since:
    """Raises:
    Invalid: it is no token of a feed.
    """
    if not token:
        return Since()
    try:
        packed = base64.urlsafe_b64decode(token)
        (version, stamp), groups = _HEAD.unpack(packed[: _HEAD.size]), packed[_HEAD.size :]
        if _VERSIONS.get(version) == len(groups):
            return Since(datetime.fromtimestamp(stamp / 1000, UTC), groups or None)
    except (ValueError, struct.error, OverflowError):
        pass
    raise Invalid("resume_token is not one that a feed gave", reason="RESUME_TOKEN")
