"""`rossio doc put`: a file, or a folder with all in it, of which the same again stores only what differs."""

import hashlib
import unicodedata
from pathlib import Path
from typing import Annotated, Final
from uuid import uuid4

import grpc.aio
import rpc
import typer
from errors import Invalid
from rossio.document.v1 import document_pb2, service_pb2

from cli.client import Client, connect, pages
from cli.command import As, note, sync
from cli.doc_transfer import upload

_OF_ONE: Final = frozenset({grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.ALREADY_EXISTS, grpc.StatusCode.ABORTED})
"""What is wrong with one file, such as its name, and keeps none of the others back."""


@sync
async def put(
    path: Annotated[Path, typer.Argument(help="A file, or a folder with all in it.", exists=True)],
    to: Annotated[str, typer.Argument(help="The folder that it goes into, or the file whose next version it is.")],
    caller: As = None,
) -> None:
    """Stores a file, the next version of one, or a folder with all in it, and prints its node id."""
    async with connect(caller) as client:
        node = (await client.document.GetNode(service_pb2.GetNodeRequest(node_id=to))).node
        if not path.is_dir():
            print((await upload(client, path, node)).node_id)
            return
        there = await _children(client, to)
        folder = await _folder(client, path.resolve().name, to, there)
        left_out = await _fill(client, path, folder.node_id)
        print(folder.node_id)
    if left_out:
        raise Invalid(f"{left_out} could not be stored, as said above")


async def _fill(client: Client, folder: Path, into: str) -> int:
    """Stores what is in the folder and not there yet; how much of it could not be."""
    left_out, there = 0, await _children(client, into)
    for path in sorted(folder.iterdir()):
        try:
            if path.is_symlink() or not (path.is_dir() or path.is_file()):
                note(f"left out, neither file nor folder: {path}")
            elif path.is_dir():
                left_out += await _fill(client, path, (await _folder(client, path.name, into, there)).node_id)
            else:
                await _store(client, path, into, there.get(_folded(path.name)))
        except grpc.aio.AioRpcError as error:
            if error.code() not in _OF_ONE:
                raise
            note(f"{path}: {rpc.error_of(error)}")
            left_out += 1
    return left_out


async def _store(client: Client, path: Path, into: str, known: document_pb2.Node | None) -> None:
    if known is None or known.kind != document_pb2.NODE_KIND_FILE:
        await upload(client, path, document_pb2.Node(node_id=into))
    else:
        with path.open("rb") as content:
            if hashlib.file_digest(content, "sha256").hexdigest() == known.version.sha256:
                return
        await upload(client, path, known)
    note(str(path))


async def _folder(client: Client, name: str, into: str, there: dict[str, document_pb2.Node]) -> document_pb2.Node:
    known = there.get(_folded(name))
    if known is not None and known.kind == document_pb2.NODE_KIND_FOLDER:
        return known
    request = service_pb2.CreateFolderRequest(request_id=str(uuid4()), parent_id=into, name=name)
    return (await client.document.CreateFolder(request)).node


async def _children(client: Client, folder: str) -> dict[str, document_pb2.Node]:
    """What lies in a folder, by name, however that is written."""
    listed = pages(client.document.ListFolder, service_pb2.ListFolderRequest(node_id=folder, page_size=1000))
    return {_folded(node.name): node async for page in listed for node in page.nodes}


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", name).casefold())
