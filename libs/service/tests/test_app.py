"""What the wiring of a service gets, on a real store and without a broker."""

import base64
import os
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import rpc
import service
import telemetry
from blobs import Blobs, GridFSBlobs, LocalBlobs
from errors import Conflict
from grpc import StatusCode, aio
from service.lifecycle import Lifecycle
from service.parts import Store
from store import Index
from testkit.polling import until

KEY = base64.b64encode(b"k" * 32).decode()


def app(settings: service.Settings) -> service.App[service.Settings]:
    return service.App("mail-routing", settings, Lifecycle(drain_seconds=1), ("api", "worker"))


@pytest.fixture(autouse=True)
def registry() -> Iterator[None]:
    yield
    telemetry.health.forget("service")


@pytest.fixture
async def told(mongo: str, database_name: str, tmp_path: Path) -> service.Settings:
    return service.Settings(mongodb_uri=mongo, mongodb_database=database_name, data_path=tmp_path)


async def put(blobs: Blobs) -> bytes:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"content"

    await blobs.prepare()
    stored = await blobs.put("e01", pieces())
    return b"".join([part async for part in blobs.get(stored.ref)])


async def test_indexes_are_there_when_the_store_has_started(told: service.Settings) -> None:
    wired = app(told)
    posts = wired.collection("posts", [Index(["slug"], unique=True)])
    assert wired.collection("posts") is posts
    store = wired._store
    assert isinstance(store, Store)
    await store.start()
    await posts.insert({"_id": 1, "slug": "a"})
    with pytest.raises(Conflict):
        await posts.insert({"_id": 2, "slug": "a"})
    await wired.database.drop()
    await store.stop()
    telemetry.health.forget("store")


async def test_a_process_plays_all_roles_or_those_that_it_is_told(told: service.Settings) -> None:
    assert [app(told).plays(role) for role in ("api", "worker")] == [True, True]
    worker = app(told.model_copy(update={"roles": frozenset({"worker"})}))
    assert [worker.plays(role) for role in ("api", "worker")] == [False, True]
    with pytest.raises(AssertionError, match="cook"):
        worker.plays("cook")


async def test_processes_have_names_of_their_own(told: service.Settings) -> None:
    first, second = app(told), app(told)
    assert first.instance == first.instance != second.instance


async def test_local_content_makes_its_master_key_once(told: service.Settings) -> None:
    content = app(told).blobs()
    assert isinstance(content, LocalBlobs)
    assert await put(content) == b"content"
    key = (told.data_path / "blobs" / "master.key").read_bytes()
    assert await put(app(told).blobs()) == b"content"
    assert (told.data_path / "blobs" / "master.key").read_bytes() == key


async def test_content_is_set_up_at_the_start_and_swept_of_what_nobody_goes_on_with(told: service.Settings) -> None:
    lifecycle = Lifecycle(drain_seconds=1)
    service.App("mail-routing", told, lifecycle, ()).blobs()
    left = told.data_path / "blobs" / "incoming" / "0a"
    async with lifecycle.lived(lambda: None):
        await until(telemetry.health.ready)
        left.write_bytes(b"")
        os.utime(left, (0, 0))
    async with lifecycle.lived(lambda: None):
        await until(lambda: not left.exists(), seconds=20)


async def test_content_in_the_database_takes_the_key_that_it_is_given(told: service.Settings) -> None:
    wired = app(service.Settings(**{**told.model_dump(), "blobs": "gridfs", "blobs_master_key": KEY}))
    content = wired.blobs()
    assert isinstance(content, GridFSBlobs)
    assert await put(content) == b"content"
    await wired.database.drop()
    await wired.database.close()


@pytest.mark.parametrize(("blobs", "key"), [("gridfs", None), ("gridfs", "c2VjcmV0"), ("local", "c2VjcmV0")])
async def test_a_master_key_that_is_missing_or_none_is_a_wrong_setting(
    told: service.Settings, blobs: str, key: str | None
) -> None:
    wrong = service.Settings(**{**told.model_dump(), "blobs": blobs, "blobs_master_key": key})
    with pytest.raises(service.WrongSettings, match=r"^BLOBS_MASTER_KEY: ") as refused:
        app(wrong).blobs()
    assert "c2VjcmV0" not in str(refused.value)


async def test_a_channel_to_another_service_trusts_its_authority_and_shows_a_certificate(tmp_path: Path) -> None:
    """Both ends have certificates of one authority; a process that was told of none does not get through."""
    pem, key = tmp_path / "tls.crt", tmp_path / "tls.key"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=x",
         "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", pem],
        check=True, capture_output=True,
    )  # fmt: skip
    server = aio.server()
    server.add_generic_rpc_handlers([])
    port = server.add_secure_port("127.0.0.1:0", rpc.Tls(pem, pem, key).server_credentials())
    await server.start()
    knows = service.Settings(grpc_peer_authority=pem, grpc_tls_certificate=pem, grpc_tls_key=key)

    async def code(settings: service.Settings) -> StatusCode:
        async with app(settings).channel(f"127.0.0.1:{port}") as channel:
            call: Any = channel.unary_unary("/nothing/here")(b"", timeout=10)  # type: ignore[arg-type]
            with suppress(aio.AioRpcError):
                await call
            status: StatusCode = await call.code()
            return status

    assert await code(knows) is StatusCode.UNIMPLEMENTED
    assert await code(service.Settings()) is StatusCode.UNAVAILABLE
    await server.stop(0)
