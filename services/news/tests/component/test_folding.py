"""What readers did is folded into one document a post, and says the same as before."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
import store
from directory_view import Bitmap
from hypothesis import given
from hypothesis import strategies as st
from news.adapters import mark_documents
from news.adapters.marks import MARK_INDEXES, GroupedMarks
from news.application.ports import Mark, MarkKind
from rossio.news.v1 import service_pb2 as pb

START = datetime(2026, 11, 26, 9, tzinfo=UTC)
LATER = START + timedelta(days=1)
ALL = 'person in ("news-ana", "news-rui", "news-eva", "news-nuno")'


def mark(number: int, post_id: str = "p1", kind: MarkKind = MarkKind.ACKNOWLEDGED, delegate: str = "") -> Mark:
    return Mark(kind, post_id, 1, "e01", f"person{number}", number, delegate)


@pytest.fixture
async def marks(mongo, database_name):
    """The collection of marks, empty."""
    database = store.connect(mongo, database_name)
    collection = database.collection("marks")
    await database.ensure(collection, MARK_INDEXES)
    yield collection
    await database.close()


class Clock:
    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now


async def test_marks_that_are_folded_say_the_same(marks):
    here, there = GroupedMarks(marks, Clock()), GroupedMarks(marks, Clock())
    await here.start()
    for number in range(20):
        await here.add(mark(number, delegate="rui" if number % 3 else ""))
        await here.add(mark(number, kind=MarkKind.READ))
    await here.add(mark(7, post_id="p2"))
    before = await taken(here)
    await here.fold(LATER)
    assert await count(marks) == 21 + 1, "facts that are not published stay where they are"
    await publish(marks)
    await asyncio.gather(here.fold(LATER), there.fold(LATER))
    assert await count(marks) == 3
    assert await taken(here) == before
    for number in (3, 20, 21):
        await here.add(mark(number))
    await publish(marks)
    assert await count(marks) == 3 + 2, "what was known is not written again"
    await here.fold(START)
    assert await count(marks) == 3 + 2, "what is young stays where it is"
    await here.fold(LATER)
    assert await count(marks) == 3
    await here.fold(LATER)
    found = await taken(here)
    assert {number: found[number] for number in before} == before
    await there.start()
    for each in (here, there):
        each.keep({"p2"})
        assert each.held(MarkKind.READ, "p1", 1) == Bitmap()
    await there.add(mark(30, kind=MarkKind.READ))
    assert await here.numbers(MarkKind.READ, "p1", 1) == Bitmap([*range(20), 30])
    await here.recall("p1", 1)
    await there.recall("p1", 1)
    for each in (here, there):
        assert each.held(MarkKind.ACKNOWLEDGED, "p1", 1) == Bitmap(range(22))
        assert each.held(MarkKind.READ, "p1", 1) == Bitmap([*range(20), 30])
        assert each.held(MarkKind.ACKNOWLEDGED, "p2", 1) == Bitmap([7])
        await each.stop()


async def taken(marks: GroupedMarks) -> dict[int, tuple[datetime, str]]:
    found = marks.taken(MarkKind.ACKNOWLEDGED, "p1", 1)
    return {each.number: (each.at, each.delegate_id) async for each in found}


async def count(marks: store.Collection) -> int:
    return len([each async for each in marks.find({"text_version": 1})])


async def publish(marks: store.Collection) -> None:
    pending = await marks.pending(1000)
    await marks.published_all([(document, [each.id for each in facts]) for document, facts in pending])


GROUPS = st.lists(
    st.tuples(st.integers(0, 5), st.sets(st.integers(0, 300), min_size=1), st.sampled_from(["", "rui"])), max_size=8
)


@given(GROUPS, st.integers(0, 8))
def test_folding_is_the_same_in_one_go_in_two_and_again(groups, at):
    key = (MarkKind.ACKNOWLEDGED.value, "p1", 1)
    documents = [
        mark_documents.together(
            [mark(number, delegate=delegate) for number in sorted(numbers)], START + timedelta(milliseconds=offset)
        ).document
        for offset, numbers, delegate in groups
    ]
    whole = mark_documents.folded(key, documents, LATER)
    part = mark_documents.folded(key, documents[:at], LATER)
    assert mark_documents.folded(key, [part, *documents], LATER) == whole
    assert mark_documents.folded(key, [whole], LATER) == whole
    first: dict[int, datetime] = {}
    for document in sorted(documents, key=lambda each: each["at"], reverse=True):
        first |= dict.fromkeys(document["numbers"], document["at"])
    assert {each.number: each.at for each in mark_documents.taken_of(whole)} == first
    assert set(mark_documents.people_of(whole)) == set(first)


@pytest.mark.slow
async def test_a_process_that_dies_while_it_folds_loses_and_doubles_nothing(start_service, caller):
    news = start_service("news")
    editor = caller(news, "news-rui")
    post = await editor.publish(await editor.draft(ALL, mandatory=True))
    for person in ("news-ana", "news-eva"):
        await caller(news, person, "").acknowledge(post.post_id)
        await caller(news, person, "").read(post.post_id)
    away = await editor.publish(await editor.draft(ALL, mandatory=True))
    await caller(news, "news-eva", "").acknowledge(away.post_id)
    await editor.stub.ArchivePost(pb.ArchivePostRequest(request_id="a", post_id=away.post_id))
    before = await roll(editor, post.post_id)
    news.settings["FOLD_AFTER"] = "PT0S"
    for point in ("news.marks.folded", ""):
        news.stop()
        news.settings["ROSSIO_KILL_AT"] = point
        news.launch()
        async with asyncio.timeout(60):
            while (news.exit_code is None) if point else not news.ready():
                await asyncio.sleep(0.05)
        assert news.exit_code == (-9 if point else None), news.output()
    editor = caller(news, "news-rui")
    assert (await editor.missing(post.post_id))[:2] == (["news-rui", "news-nuno"], 2)
    assert await roll(editor, post.post_id) == before
    assert (await caller(news, "news-eva", "").get(post.post_id)).read
    assert (await caller(news, "news-eva", "").get(away.post_id)).acknowledged, "what was put away is looked up"
    assert (await editor.missing(away.post_id))[1] == 3


async def roll(editor, post_id: str) -> list[bytes]:
    """Its people; the head says when it was made."""
    parts = [part.content async for part in editor.stub.DownloadRoll(pb.DownloadRollRequest(post_id=post_id))]
    return b"".join(parts).splitlines()[1:-1]
