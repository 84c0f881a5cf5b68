"""The `rossio news` commands against a running service, as an editor, a reader or a script calls them."""

import asyncio
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cli.main import app
from devstack.issuer import Issuer
from typer.testing import CliRunner

from .conftest import PEOPLE

pytestmark = pytest.mark.usefixtures("ministry")
ALL = 'person in ("news-ana", "news-rui", "news-eva", "news-nuno")'


@pytest.fixture
def rossio(start_service: Any, issuer: Issuer) -> Callable[..., Any]:
    """`await rossio(person, *arguments, fails=...)` is what the command prints; with `fails`, what it says beside."""
    news = start_service("news")

    async def run(person: str, *arguments: str, fails: bool = False) -> str:
        roles = [f"news.{role}" for role in ("editor", "approver", "alerter", "moderator") if person != "news-ana"]
        variables = {
            "ROSSIO_ENDPOINTS": f"news={news.grpc}",
            "ROSSIO_TOKEN": issuer.token(person, entity=PEOPLE[person][0], roles=roles),
        }
        done = await asyncio.to_thread(CliRunner().invoke, app, ["news", *arguments], env=variables)
        assert (done.exit_code != 0) == fails, (arguments, done.output, done.exception)
        return str(done.stderr if fails else done.stdout).removesuffix("\n")

    return run


@pytest.fixture
def text(tmp_path: Path) -> str:
    path = tmp_path / "texto.md"
    path.write_text("Lave as mãos **antes** de cada doente.", encoding="utf-8")
    return str(path)


def column(shown: str, index: int) -> list[str]:
    return [line.split("\t")[index] for line in shown.splitlines()]


async def test_from_the_draft_in_two_languages_to_its_approvers(rossio, text):
    post = await rossio("news-rui", "draft", "Mãos", text, "--audience", ALL, "--acknowledge-within", "7",
                        "--approvals", "1", "--category", "saude")  # fmt: skip
    await rossio("news-rui", "edit", post, "--locale", "en", "--title", "Hands", "--file", text)
    await rossio("news-rui", "submit", post)
    assert column(await rossio("news-rui", "posts", "in_review"), 3) == ["pt-PT en"]
    assert await rossio("news-rui", "check", post) == ""
    assert await rossio("news-nuno", "posts", "in_review") == ""
    await rossio("news-rui", "review", post, fails=True)  # nobody reviews what they wrote
    await rossio("news-rui", "posts", "nowhere", fails=True)
    assert column(await rossio("news-rui", "history", post), 2) == ["submit", "update", "create"]


async def test_a_post_that_cannot_be_published_stays_a_draft_and_says_which(rossio, text, tmp_path):
    picture = tmp_path / "imagem.md"
    picture.write_text("![](document:n1)", encoding="utf-8")
    said = await rossio("news-rui", "publish", "Mapa", str(picture), "--audience", ALL, fails=True)
    (post,) = re.findall(r"the draft ([0-9a-f]+) now", said)
    assert column(await rossio("news-rui", "check", post), 2) == ["ALT_TEXT"]
    await rossio("news-rui", "edit", post, "--locale", "en", "--title", "Map", fails=True)
    await rossio("news-rui", "edit", post, "--file", text, "--acknowledge-within", "3")
    assert "to 4 people" in await rossio("news-rui", "release", post)
    await rossio("news-ana", "ack", post)
    assert (await rossio("news-rui", "missing", post)).splitlines() == ["news-rui", "news-eva", "news-nuno"]

    # The second version: readers keep the first until it is released, and acknowledge anew.
    await rossio("news-rui", "edit", post, "--title", "Mapa das saídas")
    assert column(await rossio("news-ana", "feed"), 2) == ["Mapa"]
    await rossio("news-rui", "release", post)
    assert "Mapa das saídas" in await rossio("news-ana", "read", post)
    assert len((await rossio("news-rui", "missing", post)).splitlines()) == 4
    await rossio("news-ana", "ack", post)

    roll, keys = tmp_path / "roll", tmp_path / "keys"
    await rossio("news-rui", "roll", post, str(roll))
    await rossio("news-ana", "keys", str(keys))
    holds = f"holds: version 2 of {post}, 1 of 4 have acknowledged"
    for given in (["--keys", str(keys)], []):
        assert await rossio("news-ana", "verify", str(roll), *given) == holds
    await rossio("news-ana", "verify", str(roll), "--key", "x", fails=True)


async def test_taste_alerts_and_cap(rossio, text, tmp_path):
    assert (
        await rossio("news-ana", "taste", "--follow", "saude", "--mute", "desporto")
        == "saude\tfollowed\ndesporto\tmuted"
    )
    assert await rossio("news-ana", "taste", "--mute", "saude", "--forget", "desporto") == "saude\tmuted"
    said = await rossio("news-rui", "alert", "Cheia", text, "--event", "cheia", "--area", "Porto", "--audience", ALL)
    (post,) = re.findall(r"published ([0-9a-f]+) to 4 people", said)
    message = tmp_path / "cap.xml"
    message.write_text(await rossio("news-ana", "cap", post), encoding="utf-8")
    assert "published" in await rossio("news-nuno", "import", str(message), "--audience", ALL)
    await rossio(
        "news-rui", "alert", "Cheia", text, "--event", "cheia", "--area", "Porto", "--urgency", "Now", fails=True
    )
