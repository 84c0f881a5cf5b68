"""The suite starts programs in order, watches over them, and leaves none behind. The services here are tiny ones."""

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import jwt
import pytest
from devstack import stack_file
from devstack.program import Failed, Missing, listens
from devstack.services import Service
from devstack.suite import Suite

SOURCE = """
import http.server, os, sys

if os.environ.get("TINY_BREAKS"):
    sys.exit("the tiny service broke on purpose")
answers = iter([503, 503])


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        status = next(answers, 200)
        self.send_response(status)
        self.end_headers()
        self.wfile.write(b"ready" if status == 200 else b"not yet")


host, _, port = os.environ["ADMIN_ADDRESS"].rpartition(":")
print("told:", os.environ["KAFKA_BOOTSTRAP"], os.environ["MONGODB_URI"], os.environ["TINY_TWO_ADDRESS"], flush=True)
http.server.ThreadingHTTPServer((host, int(port)), Handler).serve_forever()
"""
SERVICES = (Service("tiny-one", 7901, 7902), Service("tiny-two", 7903, 7904))


@pytest.fixture(autouse=True)
def tiny_services(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("tiny_one", "tiny_two"):
        package = tmp_path / "code" / name
        package.mkdir(parents=True)
        (package / "__init__.py").touch()
        (package / "main.py").write_text(SOURCE)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "code"))
    monkeypatch.setenv("ROSSIO_BROKER", "light")
    monkeypatch.delenv("KAFKA_BOOTSTRAP", raising=False)
    monkeypatch.delenv("MONGODB_URI", raising=False)


@pytest.fixture
def said() -> list[str]:
    return []


@asynccontextmanager
async def _suite(folder: Path, said: list[str]) -> AsyncIterator[Suite]:
    async with Suite(folder, say=said.append, free_ports=True, services=SERVICES) as suite:
        yield suite


def _pids(suite: Suite) -> list[int]:
    programs = [*suite._servers, *suite.services.values()]
    return [program.pid for program in programs if program.pid is not None]


async def test_everything_is_up_and_told_where_the_rest_is(tmp_path: Path, said: list[str]) -> None:
    async with _suite(tmp_path / "run", said) as suite:
        stack = stack_file.read(tmp_path / "run" / "stack.json")
        assert stack == suite.stack
        told = f"told: {stack.kafka} {stack.mongodb} {stack.endpoints['tiny-two']}"
        assert told in suite.services["tiny-one"].output()
        token = Path(suite.services["tiny-two"].environment()["SERVICE_TOKEN_FILE"]).read_text()
        claims = jwt.decode(token, options={"verify_signature": False})
        assert (claims["sub"], claims["kind"]) == ("tiny-two", "service")
        pids = _pids(suite)
        assert len(pids) == 4
    assert [line for line in said if line.endswith("ready")][-1].startswith("tiny-")
    assert not any(_runs(pid) for pid in pids)
    assert not (tmp_path / "run" / "stack.json").exists()


async def test_a_service_that_dies_ends_the_work_with_its_last_words(tmp_path: Path, said: list[str]) -> None:
    async with _suite(tmp_path / "run", said) as suite:

        async def kills_one_and_waits() -> None:
            pid = suite.services["tiny-one"].pid
            assert pid is not None
            os.kill(pid, signal.SIGKILL)
            await asyncio.Event().wait()

        with pytest.raises(Failed, match=r"tiny-one died with code -9(.|\n)*told:"):
            async with asyncio.timeout(30):
                await suite.watch_over(kills_one_and_waits())


async def test_work_that_ends_gives_its_result(tmp_path: Path, said: list[str]) -> None:
    async def work() -> int:
        return 7

    async with _suite(tmp_path / "run", said) as suite:
        assert await suite.watch_over(work()) == 7


async def test_a_service_that_does_not_start_stops_the_rest(
    tmp_path: Path, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TINY_BREAKS", "1")
    suite = Suite(tmp_path / "run", say=said.append, free_ports=True, services=SERVICES)
    with pytest.raises(Failed, match="broke on purpose"):
        await suite.__aenter__()
    assert _pids(suite) == []


async def test_two_suites_in_one_folder_are_refused(tmp_path: Path, said: list[str]) -> None:
    async with _suite(tmp_path / "run", said):
        with pytest.raises(Missing, match="already"):
            async with _suite(tmp_path / "run", said):
                pytest.fail("a second suite started")


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield server.getsockname()[1]


async def test_a_port_in_use_is_named(tmp_path: Path, said: list[str], taken_port: int) -> None:
    services = (Service("tiny-one", taken_port, 7902),)
    with pytest.raises(Missing, match=rf"port {taken_port} \(GRPC_ADDRESS of tiny-one\) is in use"):
        async with Suite(tmp_path / "run", say=said.append, services=services):
            pytest.fail("it started on a port that is taken")
    assert listens(taken_port)


async def test_each_start_begins_with_nothing(tmp_path: Path, said: list[str]) -> None:
    async with _suite(tmp_path / "run", said) as suite:
        left = suite.services["tiny-one"].folder / "left-behind"
        left.touch()
        key = (tmp_path / "run" / "issuer" / "issuer.pem").read_bytes()
    async with _suite(tmp_path / "run", said):
        assert not left.exists()
        assert (tmp_path / "run" / "issuer" / "issuer.pem").read_bytes() == key


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
