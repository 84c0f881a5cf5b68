"""`start-up` and `memory`: each service until it is ready, beside a process that only imports the drivers."""

import asyncio
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import messaging
from devstack.issuer import Issuer
from devstack.mongo import Mongo
from devstack.services import SERVICES, Service, ServiceProgram, Surroundings
from devstack.tansu import Tansu

_DRIVERS = "import grpc.aio, aiokafka, motor.motor_asyncio, prometheus_client, google.protobuf.message"
_MEBIBYTE = 1024 * 1024


def measure() -> list[dict[str, Any]]:
    """CPU seconds and resident memory of each service when /readyz first says yes, the directory empty."""
    peer_cpu, peer_memory = _drivers()
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        broker, store = Tansu(folder / "broker"), Mongo(folder / "store")
        for server in (broker, store):
            server.start()
        try:
            asyncio.run(messaging.ensure_topics(messaging.Kafka(broker.bootstrap, idempotence=False), embedded=True))
            around = Surroundings(broker.bootstrap, store.uri, Issuer(folder / "issuer"), idempotence=False)
            for service in SERVICES:
                cpu, memory = _service(service, folder / service.name, around)
                rows += [
                    _row(f"start-up {service.name}", cpu, peer_cpu, "s CPU", "<= 0.7"),
                    _row(f"memory {service.name}", memory, peer_memory, "MiB", "<= 75"),
                ]
        finally:
            store.kill()
            broker.kill()
    return rows


def _row(metric: str, ours: float, peer: float, unit: str, aim: str) -> dict[str, Any]:
    note = "peer: a process that only imports the drivers"
    return {"metric": metric, "ours": ours, "peer": peer, "ratio": ours / peer, "unit": unit, "aim": aim, "note": note}


def _drivers() -> tuple[float, float]:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    script = f"{_DRIVERS}; print(open('/proc/self/statm').read().split()[1])"
    pages = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, _mebibytes(pages)


def _service(service: Service, folder: Path, around: Surroundings) -> tuple[float, float]:
    program = ServiceProgram(service, folder, around)
    program.start()
    try:
        process = Path(f"/proc/{program.pid}")
        ticks = process.joinpath("stat").read_text().rpartition(")")[2].split()[11:13]
        seconds = sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")
        return seconds, _mebibytes(process.joinpath("statm").read_text().split()[1])
    finally:
        program.kill()


def _mebibytes(pages: str) -> float:
    return int(pages) * os.sysconf("SC_PAGE_SIZE") / _MEBIBYTE
