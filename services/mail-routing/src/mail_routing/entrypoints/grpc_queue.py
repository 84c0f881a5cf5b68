# ruff: noqa: ARG002, N802 - the contract names the methods and their parameters
"""rossio.mail.v1.QueueService: requests to use cases, and what they return to responses."""

from datetime import UTC, datetime
from typing import Any

import rpc
from errors import Invalid
from rossio.mail.v1 import queue_pb2 as pb
from rossio.mail.v1 import queue_pb2_grpc

from mail_routing.adapters import wire_queue
from mail_routing.application.change_queue import ChangeQueue
from mail_routing.application.list_queue import list_queue
from mail_routing.application.ports import Position, Queue
from mail_routing.application.trace import Audit

SERVICE = "rossio.mail.v1.QueueService"


class QueueApi(queue_pb2_grpc.QueueServiceServicer):
    """The servicer."""

    def __init__(self, entries: Queue, change: ChangeQueue, audit: Audit) -> None:
        self._entries = entries
        self._change = change
        self._audit = audit

    async def ListQueue(self, request: pb.ListQueueRequest, context: Any) -> pb.ListQueueResponse:
        limit = rpc.page_size(request)
        shards, after = await list_queue(
            self._entries, self._audit, rpc.caller(), wire_queue.filter_(request.filter), _position(request), limit
        )
        token = rpc.page_token(request, int(after[0].timestamp() * 1000), after[1]) if after else ""
        return pb.ListQueueResponse(entries=map(wire_queue.entry, shards), next_page_token=token)

    async def ChangeQueue(self, request: pb.ChangeQueueRequest, context: Any) -> pb.ChangeQueueResponse:
        action, wanted = wire_queue.action(request.action), wire_queue.filter_(request.filter)
        done = await self._change(rpc.caller(), action, tuple(request.queue_ids), wanted, request.reason)
        return pb.ChangeQueueResponse(changed=done.changed, unchanged=done.unchanged, more=done.more)


def _position(request: pb.ListQueueRequest) -> Position | None:
    match rpc.read_page_token(request):
        case ():
            return None
        case (int(milliseconds), str(queue_id)):
            return datetime.fromtimestamp(milliseconds / 1000, UTC), queue_id
    raise Invalid("page_token is not one that this method gave", reason="PAGE_TOKEN")
