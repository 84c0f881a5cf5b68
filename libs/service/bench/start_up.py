"""`start-up` and `memory`: each service until it is ready, beside a process that only imports the drivers."""

import asyncio
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from subprocess import PIPE, Popen
from typing import Any

import messaging
from devstack.issuer import Issuer
from devstack.mongo import Mongo
from devstack.services import SERVICES, ServiceProgram, Surroundings
from devstack.tansu import Tansu

_DRIVERS = "import grpc.aio, aiokafka, motor.motor_asyncio, prometheus_client, google.protobuf.message"
_PEER = "peer: a process that only imports the drivers"
_SETTINGS = {"document": {"ROLES": "api"}}
"""As the charts run them: what searches is another process."""


def measure() -> list[dict[str, Any]]:
    """CPU seconds of each service when /readyz first says yes, the directory empty, and its memory beside the others.

    Memory is the proportional set size while all six run: what is its own, and its share of the pages that it has in
    common with others, such as those of Python and of the drivers. The resident set size stands in the note.
    """
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as name, ExitStack() as running:
        folder = Path(name)
        broker, store = Tansu(folder / "broker"), Mongo(folder / "store")
        for server in (broker, store):
            server.start()
            running.callback(server.kill)
        asyncio.run(messaging.ensure_topics(messaging.Kafka(broker.bootstrap, idempotence=False), embedded=True))
        around = Surroundings(broker.bootstrap, store.uri, Issuer(folder / "issuer"), idempotence=False)
        peer = running.enter_context(_drivers())
        programs = {
            each.name: ServiceProgram(each, folder / each.name, around, settings=_SETTINGS.get(each.name, {}))
            for each in SERVICES
        }
        peer_cpu = _cpu(peer.pid)
        for service, program in programs.items():
            program.start()
            running.callback(program.kill)
            rows.append(_row(f"start-up {service}", _cpu(program.pid), peer_cpu, "s CPU", "<= 0.7", _PEER))
        peer_memory = _memory(peer.pid, "Pss")
        for service, program in programs.items():
            note = f"{_PEER}; resident: {_memory(program.pid, 'Rss'):.0f} beside {_memory(peer.pid, 'Rss'):.0f}"
            rows.append(_row(f"memory {service}", _memory(program.pid, "Pss"), peer_memory, "MB", "<= 75", note))
    return rows


def _row(metric: str, ours: float, peer: float, unit: str, aim: str, note: str) -> dict[str, Any]:
    return {"metric": metric, "ours": ours, "peer": peer, "ratio": ours / peer, "unit": unit, "aim": aim, "note": note}


@contextmanager
def _drivers() -> Iterator[Popen[str]]:
    """A process that has imported the drivers, and does nothing else until the end."""
    script = f"{_DRIVERS}; print(flush=True); import sys; sys.stdin.read()"
    with Popen([sys.executable, "-c", script], stdin=PIPE, stdout=PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdout.readline()
        yield process
        process.stdin.close()


def _cpu(pid: int | None) -> float:
    ticks = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")


def _memory(pid: int | None, kind: str) -> float:
    """Pss or Rss of a process, in MB."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith(f"{kind}:"))
