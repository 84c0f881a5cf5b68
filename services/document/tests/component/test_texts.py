"""Who takes the text out of a content, of many that could, and how often an index was asked for."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
import store
from document.adapters import texts as text_store
from document.adapters.epochs import EpochStore
from document.adapters.texts import TextStore
from document.domain.extraction import Extracted, Outcome
from document.domain.node import Act
from document.domain.permissions import GranteeKind, Subject

AT = datetime(2026, 1, 1, tzinfo=UTC)
LATER = AT + timedelta(minutes=1)


@pytest.fixture
async def texts(database: store.Database) -> TextStore:
    documents = database.collection("texts")
    await database.ensure(documents, text_store.INDEXES)
    return TextStore(documents)


async def test_of_many_one_has_the_claim_and_another_when_it_ends(texts: TextStore):
    claims = await asyncio.gather(*(texts.claim("e1:a", "e1", AT, LATER) for _ in range(20)))
    assert sum(claims) == 1
    assert await texts.find(["e1:a"]) == {}
    again = await asyncio.gather(*(texts.claim("e1:a", "e1", LATER, LATER + timedelta(minutes=1)) for _ in range(20)))
    assert sum(again) == 1
    await texts.keep("e1:a", Extracted(Outcome.TEXT, "e1:t"))
    assert await texts.find(["e1:a", "e1:b"]) == {"e1:a": Extracted(Outcome.TEXT, "e1:t")}
    assert not await texts.claim("e1:a", "e1", LATER + timedelta(days=1), LATER + timedelta(days=2))
    assert await texts.sources(["e1:t", "e1:a"]) == {"e1:t": {"e1:a"}}


async def test_what_is_forgotten_is_done_once_more(texts: TextStore, monkeypatch: pytest.MonkeyPatch):
    for ref, entity in (("e1:a", "e1"), ("e2:a", "e2")):
        await texts.claim(ref, entity, AT, LATER)
        await texts.keep(ref, Extracted(Outcome.BROKEN))
    await texts.forget_entity("e1")
    assert await texts.find(["e1:a", "e2:a"]) == {"e2:a": Extracted(Outcome.BROKEN)}
    monkeypatch.setattr(text_store, "FORMAT", 2)
    assert await texts.find(["e2:a"]) == {}
    assert await texts.claim("e2:a", "e2", AT, LATER)


async def test_a_repeated_wish_for_an_index_is_one(database: store.Database):
    documents = database.collection("epochs")
    await database.ensure(documents)
    epochs = EpochStore(documents)
    who = Subject(GranteeKind.PERSON, "p1", "e1")
    for act_id in ("one", "one", "two", "two", "one"):
        await epochs.advance("e1", Act(act_id, who, AT), extract=False)
    assert await epochs.all() == {"e1": 2}
    facts = [fact for _, pending in await documents.pending(10) for fact in pending]
    assert len(facts) == 2
