"""`rossio doc`: spaces, put and get."""

import hashlib
import mimetypes
from collections.abc import AsyncIterable, AsyncIterator
from pathlib import Path
from typing import Annotated, Any
from uuid import uuid4

import typer
from errors import Invalid
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TransferSpeedColumn
from rossio.document.v1 import document_pb2, service_pb2

from cli.client import Client, connect
from cli.command import As, console, sync, table

CHUNK = 256 * 1024
app = typer.Typer(no_args_is_help=True, help="Store, fetch, list and share files.")


@app.command()
@sync
async def space(
    name: str, personal: Annotated[bool, typer.Option(help="Only for the caller.")] = False, caller: As = None
) -> None:
    """Creates a space and prints its id."""
    async with connect(caller) as client:
        request = service_pb2.CreateSpaceRequest(request_id=str(uuid4()), name=name, personal=personal)
        print((await client.document.CreateSpace(request)).space.space_id)


@app.command()
@sync
async def ls(node: Annotated[str, typer.Argument(help="A folder; none: the spaces.")] = "", caller: As = None) -> None:
    """Lists the caller's spaces, or a folder."""
    async with connect(caller) as client:
        if not node:
            spaces = await client.document.ListSpaces(service_pb2.ListSpacesRequest(page_size=1000))
            table(("space", "entity", "name"), ((s.space_id, s.entity_id, s.name) for s in spaces.spaces))
            return
        listed = await client.document.ListFolder(service_pb2.ListFolderRequest(node_id=node, page_size=1000))
    table(("node", "size", "name"), ((n.node_id, n.version.size, n.name) for n in listed.nodes))


@app.command()
@sync
async def put(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False)],
    folder: Annotated[str, typer.Argument(help="The folder that it goes into.")],
    caller: As = None,
) -> None:
    """Stores a file and prints its node id."""
    async with connect(caller) as client:
        print((await upload(client, file, folder)).node_id)


@app.command()
@sync
async def get(
    node: str,
    file: Annotated[Path, typer.Argument(help="Where to; must not exist.")],
    caller: As = None,
) -> None:
    """Fetches a file; it is only there when its hash is right."""
    if file.exists():
        raise Invalid(f"{file} is there already")
    async with connect(caller) as client:
        await download(client, node, file)


async def upload(client: Client, file: Path, folder: str) -> document_pb2.Node:
    """Streams a file into a folder, with its hash for the server to check."""
    with file.open("rb") as content:
        sha256 = hashlib.file_digest(content, "sha256").hexdigest()
    header = service_pb2.UploadHeader(
        request_id=str(uuid4()),
        parent_id=folder,
        name=file.name,
        size=file.stat().st_size,
        sha256=sha256,
        media_type=mimetypes.guess_type(file.name)[0] or "application/octet-stream",
    )
    with _progress() as progress:
        task = progress.add_task(file.name, total=header.size)
        answer = await client.document.Upload(_parts(header, file, progress, task))
    return answer.node


async def _parts(
    header: service_pb2.UploadHeader, file: Path, progress: Progress, task: TaskID
) -> AsyncIterator[service_pb2.UploadRequest]:
    yield service_pb2.UploadRequest(header=header)
    with file.open("rb") as content:
        while chunk := content.read(CHUNK):
            yield service_pb2.UploadRequest(chunk=chunk)
            progress.advance(task, len(chunk))


async def download(client: Client, node: str, file: Path) -> document_pb2.Node:
    """Streams a file to disk."""
    return await receive(client.document.Download(service_pb2.DownloadRequest(node_id=node)), file)


async def receive(parts: AsyncIterable[Any], file: Path) -> document_pb2.Node:
    """Writes what comes, the node first, to disk; it gets its name only when its hash is right.

    Raises:
        Invalid: what came is not what was stored.
    """
    partial = file.with_name(file.name + ".part")
    described = document_pb2.Node()
    sha256 = hashlib.sha256()
    try:
        with partial.open("wb") as out, _progress() as progress:
            task = progress.add_task(file.name, total=None)
            async for part in parts:
                if part.WhichOneof("part") == "node":
                    described = part.node
                    progress.update(task, total=described.version.size)
                    continue
                out.write(part.chunk)
                sha256.update(part.chunk)
                progress.advance(task, len(part.chunk))
        if sha256.hexdigest() != described.version.sha256:
            raise Invalid("the content that came has another hash than the one stored")
        partial.rename(file)
    finally:
        partial.unlink(missing_ok=True)
    return described


def _progress() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    return Progress(*columns, console=console, disable=not console.is_terminal, transient=True)
