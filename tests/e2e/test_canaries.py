"""No address, name, subject or Message-ID of anybody reaches a span, a label or a log."""

import urllib.request
from email import message_from_bytes
from pathlib import Path

import pytest
from cli.demo.mail import SUBJECT
from cli.demo.story import STEPS

from tests.e2e.running import Running

pytestmark = [pytest.mark.kafka, pytest.mark.asyncio(loop_scope="session")]


async def test_nothing_of_a_person_is_told_to_the_operators(running: Running) -> None:
    for _, step in STEPS:
        await running.play(step)
    told = {
        "spans": running.spans.read_text(),
        "logs": running.logs(),
        "metrics": "".join(_scrape(admin) for admin in running.stage.stack.admin.values()),
    }
    assert all(len(text) > 1000 for text in told.values()), "there is something to look through"
    people = list(running.stage.cast.people.values())
    canaries = {SUBJECT, "Higiene das mãos", "+351912345678"}
    canaries |= {address for person in people for address in person.addresses}
    canaries |= {group.addresses[0] for group in running.stage.cast.groups.values() if group.addresses}
    canaries |= {person.person_id for person in people}
    letters = [path.read_bytes() for path in Path(running.stage.stack.maildirs).glob("**/new/*")]
    canaries |= {named.strip("<>") for letter in letters if (named := message_from_bytes(letter)["Message-ID"])}
    for where, text in told.items():
        found = {canary for canary in canaries if canary in text}
        assert not found, f"{where} hold {sorted(found)[:5]}"


def _scrape(admin: str) -> str:
    with urllib.request.urlopen(f"http://{admin}/metrics", timeout=10) as answer:
        text: str = answer.read().decode()
        return text
