"""Content in and out of document beside nginx's WebDAV, on the same disk, over loopback, with the same client.

Ours hashes, encrypts, syncs to the disk and lists with an audit record; nginx writes the file and no
more, so that it is also measured with a sync of the file after it. PUT and GET are HTTP with the same client for
both. Ours takes content by tus: in one request, as nginx does, and created first and then sent; PUT over gRPC, whose
client is Python too, stands beside them. What the same hash, encryption and write of the file take of one thread, with
nothing around them, is a row of its own: no server of ours is quicker than that on one core.

CPU is the server's alone, store and broker left out. Memory is the most that the process ever held. After each round
what was written leaves the page cache: a virtual machine gets memory that it never used from its host, page by page,
which would count for whoever comes upon it.
"""

import asyncio
import base64
import hashlib
import http.client
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import chain
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import messaging
import rpc
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from devstack.issuer import Issuer
from devstack.mongo import Mongo
from devstack.program import LOOPBACK, Missing, Program, free_port, listens
from devstack.services import SERVICES, ServiceProgram, Surroundings
from devstack.tansu import Tansu
from rossio.document.v1 import service_pb2 as pb
from rossio.document.v1.service_pb2_grpc import DocumentServiceStub

CHUNK: Final = 256 << 10
ROUNDS: Final = 11
SIZES: Final = {"": 64 << 20, ", 256 MiB": 256 << 20, ", 4 MiB": 4 << 20}
"""What is added to the names of the rows, and the bytes of a file."""
LARGE: Final = 5 << 30
_TICKS: Final = os.sysconf("SC_CLK_TCK")


class Nginx(Program):
    """One worker, one folder, PUT and GET."""

    def __init__(self, folder: Path) -> None:
        super().__init__("nginx", folder)
        self.port = free_port()

    def command(self) -> list[str]:
        server = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
        if server is None:
            raise Missing("nginx is missing: apt-get install nginx-light")
        for name in ("dav", "body"):
            (self.folder / name).mkdir(exist_ok=True, mode=0o777)
        path = self.folder / "nginx.conf"
        path.write_text(
            f"daemon off; master_process off; pid {self.folder}/pid; error_log stderr;\n"
            "events {}\n"
            f"http {{ access_log off; client_max_body_size 0; client_body_temp_path {self.folder}/body;\n"
            f"server {{ listen {LOOPBACK}:{self.port};\n"
            f"location / {{ root {self.folder}/dav; dav_methods PUT; }} }} }}\n"
        )
        return [server, "-c", str(path), "-p", str(self.folder)]

    def ready(self) -> bool:
        return listens(self.port)


def measure() -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        place = Path(folder)
        nginx = stack.enter_context(_running(Nginx(place / "nginx")))
        tansu = stack.enter_context(_running(Tansu(place / "tansu")))
        mongo = stack.enter_context(_running(Mongo(place / "mongo")))
        asyncio.run(messaging.ensure_topics(tansu.bootstrap, embedded=True))
        issuer = Issuer(place / "issuer")
        kind = next(service for service in SERVICES if service.name == "document")
        only_api = {"ROLES": "api"}  # as in the charts: who looks into files is another process
        around = Surroundings(tansu.bootstrap, mongo.uri, issuer, idempotence=False)
        document = stack.enter_context(_running(ServiceProgram(kind, place / "document", around, settings=only_api)))
        return asyncio.run(_measure(nginx, document, issuer.token("p1", entity="e01")))


@contextmanager
def _running(program: Any) -> Iterator[Any]:
    program.start(180)
    try:
        yield program
    finally:
        program.kill()


async def _measure(nginx: Nginx, document: ServiceProgram, token: str) -> list[dict[str, Any]]:
    stub = DocumentServiceStub(rpc.channel(document.grpc, token=lambda: token))
    space = (await stub.CreateSpace(pb.CreateSpaceRequest(request_id=uuid4().hex, name="bench"))).space.space_id
    rows = [await _compare(nginx, document, stub, space, token, *each) for each in SIZES.items()]
    return [*chain(*rows), await _large(stub, document, space, token)]


async def _compare(
    nginx: Nginx, document: ServiceProgram, stub: DocumentServiceStub, space: str, token: str, of: str, size: int
) -> list[dict[str, Any]]:
    ours: list[dict[str, float]] = []
    peer: list[dict[str, float]] = []
    address = document.addresses["HTTP_ADDRESS"]
    for number in range(ROUNDS + 1):
        name, content = f"{number}{of}", os.urandom(size)
        alone = _alone(nginx.folder / "alone", content)
        put, get = _Watch(nginx), _Watch(nginx)
        with put:
            _http(f"{LOOPBACK}:{nginx.port}", "PUT", f"/{size}.{number}", content)
        synced = put.wall + _sync(nginx.folder / "dav" / f"{size}.{number}")
        with get:
            _http(f"{LOOPBACK}:{nginx.port}", "GET", f"/{size}.{number}", size=size)
        of_nginx = {"put": put.wall, "put_synced": synced, "put_cpu": put.cpu, "get": get.wall, "get_cpu": get.cpu}
        peer.append({**of_nginx, "whole": put.wall, "whole_cpu": put.cpu, "tus": put.wall, "alone": put.wall})
        put, whole, tus, get = _Watch(document), _Watch(document), _Watch(document), _Watch(document)
        with put:
            node = (await stub.Upload(_parts(space, name, _cut(content), size))).node
        with get:
            await asyncio.to_thread(_http, address, "GET", f"/files/{node.node_id}", token=token, size=size)
        for watch, upload, kind in ((whole, _tus_at_once, "whole"), (tus, _tus, "tus")):
            content = os.urandom(size)  # what is there already would be quicker
            with watch:
                await asyncio.to_thread(upload, address, space, f"{kind} {name}", content, token)
        of_ours = {"put": put.wall, "put_synced": put.wall, "put_cpu": put.cpu, "get": get.wall, "get_cpu": get.cpu}
        of_tus = {"whole": whole.wall, "whole_cpu": whole.cpu, "tus": tus.wall}
        ours.append({**of_ours, **of_tus, "alone": alone})
        _uncache(nginx.folder, document.folder / "data" / "blobs")
    rows = {
        "whole": ("PUT", ">= 0.8"),
        "whole_cpu": ("PUT per CPU", ">= 0.4"),
        "tus": ("PUT, created first", ">= 0.8"),
        "put": ("PUT over gRPC", ""),
        "put_synced": ("PUT over gRPC, nginx synced", ""),
        "put_cpu": ("PUT over gRPC per CPU", ""),
        "alone": ("hash, encrypt, write and sync, one thread", ""),
        "get": ("GET", ">= 0.5"),
        "get_cpu": ("GET per CPU", ""),
    }
    return [
        _row(name + of, _rate(ours, key, size), _rate(peer, key, size), "" if of else aim)
        for key, (name, aim) in rows.items()
    ]


async def _large(stub: DocumentServiceStub, document: ServiceProgram, space: str, token: str) -> dict[str, Any]:
    """A file of 5 GiB in and out again."""
    piece = os.urandom(CHUNK)
    pieces = (number.to_bytes(8, "big") + piece[8:] for number in range(LARGE // CHUNK))
    began = time.perf_counter()
    node = (await stub.Upload(_parts(space, "large", pieces, LARGE))).node
    put = time.perf_counter() - began
    address = document.addresses["HTTP_ADDRESS"]
    await asyncio.to_thread(_http, address, "GET", f"/files/{node.node_id}", token=token, size=LARGE)
    status = Path(f"/proc/{document.pid}/status").read_text()
    peak = int(status.partition("VmHWM:")[2].split()[0]) * 1024 / 1e6
    note = f"since the start of the process; the upload took {put:.1f} s"
    return {
        "metric": "5 GiB peak MB", "ours": peak, "peer": None, "ratio": None, "unit": "MB", "aim": "< 150", "note": note
    }  # fmt: skip


def _uncache(*folders: Path) -> None:
    """Has the system forget what it holds of files that are on the disk (posix_fadvise(2))."""
    for path in chain(*(folder.rglob("*") for folder in folders)):
        if path.is_file():
            with path.open("rb") as file:
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _sync(path: Path) -> float:
    """Seconds that it takes to make a file durable."""
    began = time.perf_counter()
    with path.open("rb") as file:
        os.fsync(file)
    return time.perf_counter() - began


class _Watch:
    """Wall and CPU seconds of a program while it is entered."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self.wall = self.cpu = 0.0

    def __enter__(self) -> None:
        self._from = time.perf_counter(), self._used()

    def __exit__(self, *_: object) -> None:
        wall, used = self._from
        self.wall, self.cpu = time.perf_counter() - wall, max(self._used() - used, 1 / _TICKS)

    def _used(self) -> float:
        fields = Path(f"/proc/{self._program.pid}/stat").read_text().rpartition(") ")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS


def _rate(rounds: list[dict[str, float]], key: str, size: int) -> float:
    """MB a second; the first round warms up."""
    return size / 1e6 / statistics.median(measured[key] for measured in rounds[1:])


def _row(metric: str, ours: float, peer: float, aim: str) -> dict[str, Any]:
    note = f"nginx WebDAV; files of 64 MiB where no other size stands; median of {ROUNDS}"
    return {
        "metric": metric, "ours": ours, "peer": peer, "ratio": ours / peer, "unit": "MB/s", "aim": aim, "note": note
    }  # fmt: skip


def _http(address: str, method: str, path: str, body: bytes | None = None, *, token: str = "", size: int = 0) -> None:
    connection = http.client.HTTPConnection(address)
    connection.request(method, path, body, {"Authorization": f"Bearer {token}"})
    answer = connection.getresponse()
    assert answer.status in {200, 201, 204}, answer.status
    came = 0
    while piece := answer.read(1 << 20):
        came += len(piece)
    assert method == "PUT" or came == size
    connection.close()


def _tus(address: str, space: str, name: str, content: bytes, token: str) -> None:
    """An upload by tus 1.0: creation, and all of the content in one PATCH, on one connection."""
    connection = http.client.HTTPConnection(address)
    connection.request("POST", "/uploads", None, _created(space, name, content, token))
    created = connection.getresponse()
    assert created.status == 201, created.read()
    created.read()
    part = {"Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"}
    connection.request("PATCH", created.headers["Location"], content, {**_tus_headers(token), **part})
    answer = connection.getresponse()
    assert answer.status == 204, answer.read()
    connection.close()


def _tus_at_once(address: str, space: str, name: str, content: bytes, token: str) -> None:
    """The same in one request: creation with the content (creation-with-upload)."""
    connection = http.client.HTTPConnection(address)
    headers = {**_created(space, name, content, token), "Content-Type": "application/offset+octet-stream"}
    connection.request("POST", "/uploads", content, headers)
    answer = connection.getresponse()
    assert answer.status == 201, answer.read()
    assert "Rossio-Node-Id" in answer.headers
    connection.close()


def _created(space: str, name: str, content: bytes, token: str) -> dict[str, str]:
    said = {"parent_id": space, "name": name}
    metadata = ",".join(f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in said.items())
    return {**_tus_headers(token), "Upload-Length": str(len(content)), "Upload-Metadata": metadata}


def _tus_headers(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}", "Tus-Resumable": "1.0.0"}


def _alone(path: Path, content: bytes) -> float:
    """Seconds for SHA-256, AES-256-GCM and the writing of a content, chunk by chunk in this thread, and its sync."""
    cipher, digest, sealed = AESGCM(bytes(32)), hashlib.sha256(), bytearray(CHUNK + 16)
    view = memoryview(content)
    began = time.perf_counter()
    with path.open("wb", buffering=0) as file:
        for at in range(0, len(content), CHUNK):
            digest.update(view[at : at + CHUNK])
            cipher.encrypt_into(at.to_bytes(12), view[at : at + CHUNK], b"", sealed)
            file.write(sealed)
        os.fsync(file)
    return time.perf_counter() - began


def _cut(content: bytes) -> Iterator[bytes]:
    for at in range(0, len(content), CHUNK):
        yield content[at : at + CHUNK]


async def _parts(space: str, name: str, pieces: Iterable[bytes], size: int) -> AsyncIterator[pb.UploadRequest]:
    yield pb.UploadRequest(header=pb.UploadHeader(request_id=uuid4().hex, parent_id=space, name=name, size=size))
    for piece in pieces:
        yield pb.UploadRequest(chunk=piece)
