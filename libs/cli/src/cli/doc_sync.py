"""`rossio doc sync`: keeps a folder of this machine as a space is, one way, by the change feed.

What the space has comes down and is checked by its hash; what goes there goes here too. Files that
this command did not bring stay, under another name where the space has something of theirs. Nothing ever goes up.
"""

import asyncio
from pathlib import Path
from typing import Annotated, Final

import grpc.aio
import rpc
import typer
from rossio.document.v1 import document_pb2, service_pb2

from cli.client import Client, connect, pages
from cli.command import As, note, sync
from cli.doc_copy import Copy
from cli.doc_transfer import WORTH_ANOTHER_TRY

_PAGE: Final = 1000
_WAIT_SECONDS: Final = 2.0


@sync
async def sync_space(
    space: Annotated[str, typer.Argument(help="The space.")],
    folder: Annotated[Path, typer.Argument(file_okay=False, help="Where its copy is kept.")],
    once: Annotated[bool, typer.Option(help="Ends when the copy is as the space is now.")] = False,
    caller: As = None,
) -> None:
    """Keeps a folder as a space is, one way down; goes on where it ended, also after a break."""
    copy = Copy.opened(folder, space)
    async with connect(caller) as client:
        while True:
            try:
                await _follow(client, copy, space, once=once)
            except grpc.aio.AioRpcError as error:
                if rpc.error_of(error).reason == "RESUME_TOKEN_EXPIRED":
                    copy.begin_anew()
                    continue
                if once or error.code() not in WORTH_ANOTHER_TRY:
                    raise
                note(f"broken off: {rpc.error_of(error)}; going on")
                await asyncio.sleep(_WAIT_SECONDS)
            else:
                return


async def _follow(client: Client, copy: Copy, space: str, *, once: bool) -> None:
    """Takes what the feed tells, and brings it whenever it has caught up."""
    async for change in client.changes.Watch(service_pb2.WatchRequest(space_id=space, resume_token=copy.token)):
        match change.WhichOneof("change"):
            case "node":
                if copy.take(change.node):
                    await _list_below(client, copy, change.node.node_id)
            case "gone_node_id":
                copy.drop(change.gone_node_id)
            case _:
                await copy.bring(client)
                copy.token = change.resume_token
                copy.save()
                if once:
                    return


async def _list_below(client: Client, copy: Copy, node_id: str) -> None:
    """Takes all below a folder that came into sight, as far as it is there still."""
    waiting = [node_id]
    while waiting:
        request = service_pb2.ListFolderRequest(node_id=waiting.pop(), page_size=_PAGE)
        try:
            async for page in pages(client.document.ListFolder, request):
                for node in page.nodes:
                    copy.take(node)
                    if node.kind == document_pb2.NODE_KIND_FOLDER:
                        waiting.append(node.node_id)
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.NOT_FOUND:
                raise
