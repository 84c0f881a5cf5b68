"""Files up and down: `rossio doc put` and `get`, which go on where a broken connection left them."""

import asyncio
import hashlib
import mimetypes
from collections.abc import AsyncIterable, AsyncIterator, Callable
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import grpc.aio
from errors import Invalid
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TransferSpeedColumn
from rossio.document.v1 import document_pb2, service_pb2

from cli.client import Client
from cli.command import console, note, shown

CHUNK: Final = 256 * 1024
_TRIES: Final = 10
_LONGEST_WAIT_SECONDS: Final = 10.0
WORTH_ANOTHER_TRY: Final = frozenset(
    {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN, grpc.StatusCode.CANCELLED}
)
"""What a connection that breaks in the middle of a stream may look like."""


class _Tries:
    """Counts breaks since the last progress, and waits longer after each."""

    def __init__(self) -> None:
        self._left = _TRIES
        self._stood = -1

    async def broken(self, error: grpc.aio.AioRpcError, stands: int) -> None:
        """Waits before another try; raises the error again when there is no use in one."""
        if stands > self._stood:
            self._left, self._stood = _TRIES, stands
        self._left -= 1
        if error.code() not in WORTH_ANOTHER_TRY or self._left < 0:
            raise error
        note(f"broken off at {stands} bytes; going on")
        await asyncio.sleep(min(0.1 * 2 ** (_TRIES - self._left), _LONGEST_WAIT_SECONDS))


async def upload(client: Client, file: Path, to: document_pb2.Node) -> document_pb2.Node:
    """Streams a file into a folder, or as the next version of a file, with its hash for the server to check."""
    with file.open("rb") as content:
        sha256 = hashlib.file_digest(content, "sha256").hexdigest()
    header = service_pb2.UploadHeader(
        **_target(to, file.name),
        size=file.stat().st_size,
        sha256=sha256,
        media_type=mimetypes.guess_type(file.name)[0] or "application/octet-stream",
    )
    begin = service_pb2.CreateUploadRequest(request_id=str(uuid4()), header=header)
    standing = (await client.transfer.CreateUpload(begin)).upload
    tries = _Tries()
    with progress() as bars:
        task = bars.add_task(shown(file.name), total=header.size)
        while not standing.HasField("node"):
            try:
                parts = _parts(standing, file, bars, task)
                standing = (await client.transfer.AppendUpload(parts)).upload
            except grpc.aio.AioRpcError as error:
                await tries.broken(error, standing.offset)
                standing = await _look(client, standing, tries)
    return standing.node


def _target(to: document_pb2.Node, name: str) -> dict[str, str]:
    if to.kind == document_pb2.NODE_KIND_FILE:
        return {"node_id": to.node_id, "etag": to.etag}
    return {"parent_id": to.node_id, "name": name}


async def _look(client: Client, standing: document_pb2.Upload, tries: _Tries) -> document_pb2.Upload:
    """Where the upload stands now, as soon as somebody answers."""
    while True:
        try:
            return (await client.transfer.GetUpload(service_pb2.GetUploadRequest(upload_id=standing.upload_id))).upload
        except grpc.aio.AioRpcError as error:
            await tries.broken(error, standing.offset)


async def _parts(
    standing: document_pb2.Upload, file: Path, bars: Progress, task: TaskID
) -> AsyncIterator[service_pb2.AppendUploadRequest]:
    header = service_pb2.AppendHeader(request_id=str(uuid4()), upload_id=standing.upload_id, offset=standing.offset)
    yield service_pb2.AppendUploadRequest(header=header)
    bars.update(task, completed=standing.offset)
    with file.open("rb") as content:
        content.seek(standing.offset)
        while chunk := content.read(CHUNK):
            yield service_pb2.AppendUploadRequest(chunk=chunk)
            bars.advance(task, len(chunk))


async def download(client: Client, node: str, file: Path, *, version: int = 0, title: str = "") -> document_pb2.Node:
    """Streams a version of a file, 0 for the current one, to disk; bars show its name there, or the `title`."""

    def parts(current: int, offset: int) -> AsyncIterable[Any]:
        request = service_pb2.DownloadRequest(node_id=node, version=current or version, offset=offset)
        return client.document.Download(request)

    return await receive(parts, file, title=title)


async def receive(
    parts: Callable[[int, int], AsyncIterable[Any]], file: Path, *, goes_on: bool = True, title: str = ""
) -> document_pb2.Node:
    """Writes what comes, the node first, to disk; it gets its name only when its hash is right.

    `parts` asks for a version (0: the current one) from an offset on, again after a break if it `goes_on`.

    Raises:
        Invalid: what came is not what was stored.
    """
    partial = file.with_name(file.name + ".part")
    sha256, described, tries, whole = hashlib.sha256(), document_pb2.Node(), _Tries(), False
    try:
        with partial.open("wb") as out, progress() as bars:
            task = bars.add_task(shown(title or file.name), total=None)
            while not whole:
                try:
                    async for part in parts(described.version.number, out.tell()):
                        if part.WhichOneof("part") == "node":
                            described = part.node
                            bars.update(task, total=described.version.size)
                            continue
                        out.write(part.chunk)
                        sha256.update(part.chunk)
                        bars.advance(task, len(part.chunk))
                    whole = True
                except grpc.aio.AioRpcError as error:
                    if not goes_on:
                        raise
                    await tries.broken(error, out.tell())
        if sha256.hexdigest() != described.version.sha256:
            raise Invalid("the content that came has another hash than the one stored")
        partial.rename(file)
    finally:
        partial.unlink(missing_ok=True)
    return described


def progress() -> Progress:
    """Bars on a terminal, nothing elsewhere."""
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    return Progress(*columns, console=console, disable=not console.is_terminal, transient=True)
