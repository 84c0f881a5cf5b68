"""Content in and out of document beside nginx's WebDAV, on the same disk, over loopback, with the same client.

Ours hashes, encrypts, syncs to the disk and lists with an audit record; nginx writes the file and no
more. PUT is gRPC for ours, GET is HTTP for both. CPU is the server's alone, store and broker left out.
"""

import asyncio
import http.client
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import messaging
import rpc
from devstack.issuer import Issuer
from devstack.mongo import Mongo
from devstack.program import LOOPBACK, Missing, Program, free_port, listens
from devstack.services import SERVICES, ServiceProgram, Surroundings
from devstack.tansu import Tansu
from rossio.document.v1 import service_pb2 as pb
from rossio.document.v1.service_pb2_grpc import DocumentServiceStub

SIZE: Final = 64 << 20
CHUNK: Final = 256 << 10
ROUNDS: Final = 7
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
        return asyncio.run(_compare(nginx, document, issuer.token("p1", entity="e01")))


@contextmanager
def _running(program: Any) -> Iterator[Any]:
    program.start(180)
    try:
        yield program
    finally:
        program.kill()


async def _compare(nginx: Nginx, document: ServiceProgram, token: str) -> list[dict[str, Any]]:
    stub = DocumentServiceStub(rpc.channel(document.grpc, token=lambda: token))
    space = (await stub.CreateSpace(pb.CreateSpaceRequest(request_id=uuid4().hex, name="bench"))).space.space_id
    ours: list[dict[str, float]] = []
    peer: list[dict[str, float]] = []
    for number in range(ROUNDS + 1):
        content = os.urandom(SIZE)
        put, get = _Watch(nginx), _Watch(nginx)
        with put:
            _http(f"{LOOPBACK}:{nginx.port}", "PUT", f"/{number}", content)
        with get:
            _http(f"{LOOPBACK}:{nginx.port}", "GET", f"/{number}")
        peer.append({"put": put.wall, "put_cpu": put.cpu, "get": get.wall, "get_cpu": get.cpu})
        put, get = _Watch(document), _Watch(document)
        with put:
            node = (await stub.Upload(_parts(space, str(number), content))).node
        with get:
            await asyncio.to_thread(
                _http, document.addresses["HTTP_ADDRESS"], "GET", f"/files/{node.node_id}", token=token
            )
        ours.append({"put": put.wall, "put_cpu": put.cpu, "get": get.wall, "get_cpu": get.cpu})
    aims = {"put": ">= 0.8", "put_cpu": ">= 0.4", "get": ">= 0.5", "get_cpu": ""}
    names = {"put": "PUT", "put_cpu": "PUT per CPU", "get": "GET", "get_cpu": "GET per CPU"}
    return [_row(names[key], _rate(ours, key), _rate(peer, key), aims[key]) for key in names]


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


def _rate(rounds: list[dict[str, float]], key: str) -> float:
    """MB a second; the first round warms up."""
    return SIZE / 1e6 / statistics.median(measured[key] for measured in rounds[1:])


def _row(metric: str, ours: float, peer: float, aim: str) -> dict[str, Any]:
    note = f"nginx WebDAV, {SIZE >> 20} MiB files, median of {ROUNDS}"
    return {
        "metric": metric, "ours": ours, "peer": peer, "ratio": ours / peer, "unit": "MB/s", "aim": aim, "note": note
    }  # fmt: skip


def _http(address: str, method: str, path: str, body: bytes | None = None, token: str = "") -> None:
    connection = http.client.HTTPConnection(address)
    connection.request(method, path, body, {"Authorization": f"Bearer {token}"})
    answer = connection.getresponse()
    assert answer.status in {200, 201, 204}, answer.status
    size = 0
    while piece := answer.read(1 << 20):
        size += len(piece)
    assert method == "PUT" or size == SIZE
    connection.close()


async def _parts(space: str, name: str, content: bytes) -> AsyncIterator[pb.UploadRequest]:
    header = pb.UploadHeader(request_id=uuid4().hex, parent_id=space, name=name, size=SIZE)
    yield pb.UploadRequest(header=header)
    for at in range(0, SIZE, CHUNK):
        yield pb.UploadRequest(chunk=content[at : at + CHUNK])
