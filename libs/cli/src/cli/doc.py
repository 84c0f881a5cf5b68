"""`rossio doc`: spaces, put and get."""

from collections.abc import AsyncIterable
from pathlib import Path
from typing import Annotated, Any
from uuid import uuid4

import typer
from errors import Invalid
from rossio.document.v1 import document_pb2, service_pb2

from cli import doc_keys, doc_put, doc_search, doc_sync
from cli.client import connect, pages
from cli.command import As, sync, table
from cli.doc_transfer import download

app = typer.Typer(no_args_is_help=True, help="Store, fetch, list and share files.")

app.command()(doc_keys.rotate_keys)
app.command()(doc_keys.shred)
app.command()(doc_put.put)
app.command("sync")(doc_sync.sync_space)
app.command()(doc_search.search)
app.command()(doc_search.reindex)
app.command()(doc_search.extraction)


@app.command()
@sync
async def space(
    name: str,
    personal: Annotated[bool, typer.Option(help="Only for the caller.")] = False,
    team: Annotated[str, typer.Option(help="Only for the members of this group, who edit it.")] = "",
    caller: As = None,
) -> None:
    """Creates a space of the caller's entity, unless said otherwise, and prints its id."""
    async with connect(caller) as client:
        request = service_pb2.CreateSpaceRequest(
            request_id=str(uuid4()), name=name, personal=personal, team_group_id=team
        )
        print((await client.document.CreateSpace(request)).space.space_id)


@app.command()
@sync
async def ls(node: Annotated[str, typer.Argument(help="A folder; none: the spaces.")] = "", caller: As = None) -> None:
    """Lists the caller's spaces, or a folder."""
    async with connect(caller) as client:
        if not node:
            spaces = pages(client.document.ListSpaces, service_pb2.ListSpacesRequest(page_size=1000))
            rows = [(s.space_id, s.entity_id, s.name) async for page in spaces for s in page.spaces]
            table(("space", "entity", "name"), rows)
            return
        await _show(pages(client.document.ListFolder, service_pb2.ListFolderRequest(node_id=node, page_size=1000)))


@app.command()
@sync
async def shared(caller: As = None) -> None:
    """Lists what others have shared with the caller in folders that the caller does not see."""
    async with connect(caller) as client:
        await _show(pages(client.document.ListShared, service_pb2.ListSharedRequest(page_size=1000)))


@app.command()
@sync
async def get(
    node: str,
    file: Annotated[Path, typer.Argument(help="Where to: a folder, or a file that must not exist.")],
    version: Annotated[int, typer.Option(help="Its number; 0: the current one.")] = 0,
    caller: As = None,
) -> None:
    """Fetches a file; it is only there when its hash is right."""
    async with connect(caller) as client:
        if file.is_dir():
            file /= Path((await client.document.GetNode(service_pb2.GetNodeRequest(node_id=node))).node.name).name
        if file.exists():
            raise Invalid(f"{file} is there already")
        await download(client, node, file, version=version)


async def _show(listed: AsyncIterable[Any]) -> None:
    nodes = [node async for page in listed for node in page.nodes]
    table(("node", "size", "name"), ((node.node_id, _size(node), node.name) for node in nodes))


def _size(node: document_pb2.Node) -> int | str:
    return "-" if node.kind == document_pb2.NODE_KIND_FOLDER else node.version.size
