"""Links in the hands of people who have no account: curl, and a session that keeps cookies as browsers do."""

import asyncio
import subprocess
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import aiohttp
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from rossio.document.v1 import document_pb2
from rossio.document.v1 import service_pb2 as pb

pytestmark = pytest.mark.usefixtures("ministry")
TEXT = b"Acta. " * 100_000


def wanted(node_id: str, life: timedelta = timedelta(days=7), **said: Any) -> pb.CreateLinkRequest:
    until = Timestamp()
    until.FromDatetime(datetime.now(UTC) + life)
    return pb.CreateLinkRequest(request_id=uuid4().hex, node_id=node_id, expires_at=until, **said)


@pytest.fixture
async def anybody() -> Any:
    """A browser: no token, and cookies kept (those of addresses that are numbers as well)."""
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
        yield session


async def opened(url: str, password: str = "") -> tuple[int, str]:
    """The status, and the reason of a refusal, for somebody who comes for the first time."""
    said = {"Authorization": aiohttp.encode_basic_auth("anyone", password, "utf-8")} if password else {}
    async with aiohttp.ClientSession(headers=said) as session, session.get(url) as answer:
        if answer.status == 200:
            await answer.read()
            return 200, ""
        return answer.status, (await answer.json(content_type=None))["title"]


async def test_anybody_opens_a_link_in_parts_as_one_use_that_is_recorded(
    start_service: Any, caller: Any, anybody: Any, told: Any
):
    program = start_service("document")
    ana = caller(program, "doc-ana")
    file = await ana.put(TEXT, parent_id=await ana.space(), name="Acta.txt", media_type="text/plain")
    made = await ana.stub.CreateLink(wanted(file.node_id, max_uses=1))
    assert made.url == f"http://{program.addresses['HTTP_ADDRESS']}/links/{made.text}"
    async with anybody.head(made.url) as answer:
        assert answer.status in {401, 405}, "whoever only looks uses nothing up"
    async with anybody.get(made.url, headers={"Range": "bytes=0-4"}) as answer:
        assert (answer.status, await answer.read()) == (206, b"Acta.")
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert "HttpOnly" in answer.headers["Set-Cookie"]
    async with anybody.get(made.url, headers={"Range": "bytes=6-"}) as answer:
        assert (answer.status, await answer.read()) == (206, TEXT[6:])
    async with anybody.get(made.url) as answer:
        assert (answer.status, await answer.read()) == (200, TEXT)
        assert answer.headers["Content-Disposition"].startswith("attachment")
    assert await opened(made.url) == (410, "LINK_USED_UP")
    assert (await ana.do("ListLinks", node_id=file.node_id)).links[0].used == 1
    names = ["FileStored", "document.file.store", "document.link.create", "document.link.use"]
    assert await told.names_about(file.node_id, 4) == names


async def test_of_many_at_once_as_many_are_let_in_as_the_link_gives(start_service: Any, caller: Any):
    program = start_service("document")
    ana = caller(program, "doc-ana")
    file = await ana.put(TEXT, parent_id=await ana.space(), name="a")
    made = await ana.stub.CreateLink(wanted(file.node_id, max_uses=3))
    ends = await asyncio.gather(*(opened(made.url) for _ in range(20)))
    assert Counter(ends) == {(200, ""): 3, (410, "LINK_USED_UP"): 17}


async def test_a_browser_is_asked_for_the_password_and_nobody_can_guess_it(start_service: Any, caller: Any):
    program = start_service("document")
    ana = caller(program, "doc-ana")
    file = await ana.put(TEXT, parent_id=await ana.space(), name="a")
    url = (await ana.stub.CreateLink(wanted(file.node_id, password="açorda"))).url
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        assert (answer.status, answer.headers["WWW-Authenticate"]) == (401, 'Basic realm="link", charset="UTF-8"')
    assert await opened(url, "wrong") == (401, "LINK_PASSWORD")
    fetched = await asyncio.to_thread(
        subprocess.run, ["curl", "-s", "-u", "x:açorda", url], capture_output=True, check=True
    )
    assert fetched.stdout == TEXT
    guesses = await asyncio.gather(*(opened(url, f"guess {number}") for number in range(12)))
    assert Counter(guesses) == {(401, "LINK_PASSWORD"): 10, (410, "LINK_CLOSED"): 2}
    assert await opened(url, "açorda") == (410, "LINK_CLOSED")


async def test_a_link_that_ended_is_gone_and_one_that_leads_nowhere_is_not_there(start_service: Any, caller: Any):
    program = start_service("document")
    ana = caller(program, "doc-ana")
    folder = await ana.folder(await ana.space(), "f")
    file = await ana.put(TEXT, parent_id=folder.node_id, name="a")
    made = await ana.stub.CreateLink(wanted(file.node_id))
    for wrong in (made.url[:-1], f"{made.url}x", made.url.rpartition(".")[0]):
        assert (await opened(wrong))[0] == 404
    await ana.do("SetLabel", node_id=folder.node_id, label=document_pb2.LABEL_CONFIDENTIAL)
    assert (await opened(made.url))[0] == 404
    await ana.do("SetLabel", node_id=folder.node_id, label=document_pb2.LABEL_PUBLIC)
    await ana.trash(folder.node_id)
    assert (await opened(made.url))[0] == 404
    await ana.do("Restore", node_id=folder.node_id)
    assert await opened(made.url) == (200, "")
    await ana.do("RevokeLink", node_id=file.node_id, link_id=made.link.link_id)
    assert await opened(made.url) == (410, "LINK_REVOKED")
    short = await ana.stub.CreateLink(wanted(file.node_id, timedelta(seconds=2)))
    async with asyncio.timeout(60):
        while (end := await opened(short.url))[0] == 200:
            await asyncio.sleep(0.1)
    assert end == (410, "LINK_EXPIRED")
