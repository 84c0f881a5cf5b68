"""A document stored in one entity, shared with a person of another, and read back with the same hash."""

import hashlib
import sysconfig
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

import telemetry
from rossio.document.v1 import document_pb2, service_pb2

from cli.demo.stage import Shown, Stage, check
from cli.doc_transfer import download, upload


def real_file() -> Path:
    """A real file of a few megabytes that every machine has: the largest of the Python installation's own modules."""
    folder = Path(sysconfig.get_path("stdlib")) / "lib-dynload"
    candidates = [path for path in folder.glob("*.so") if path.is_file()] or [Path(__file__)]
    return max(candidates, key=lambda path: path.stat().st_size)


async def document(stage: Stage) -> Shown:
    author, reader = stage.cast.person("e02", "news.editor"), stage.cast.person("e03")
    writing, reading = await stage.client(author), await stage.client(reader)
    file = real_file()
    space = (
        await writing.document.CreateSpace(
            service_pb2.CreateSpaceRequest(request_id=str(uuid4()), name=f"Protocolos {uuid4().hex[:6]}")
        )
    ).space
    node = await upload(writing, file, document_pb2.Node(node_id=space.space_id))
    await writing.document.Share(
        service_pb2.ShareRequest(
            request_id=str(uuid4()),
            node_id=node.node_id,
            grantee=document_pb2.Grantee(person_id=reader.person_id),
            role=document_pb2.ROLE_READER,
        )
    )
    with TemporaryDirectory() as folder:
        copy = Path(folder) / file.name
        await download(reading, node.node_id, copy)
        digests = [hashlib.sha256(path.read_bytes()).hexdigest() for path in (file, copy)]
    check(digests[0] == digests[1], "the reader of the other entity has the same bytes")
    return Shown(
        [
            f"{file.name}, {file.stat().st_size:,} bytes, stored by e02 as {node.node_id}",
            f"shared with {reader.person_id} of e03, who read back sha256 {digests[1][:16]}…: the same",
        ],
        telemetry.current_traceparent().split("-")[1],
    )
