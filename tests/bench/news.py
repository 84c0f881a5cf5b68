"""What news costs, and how that grows with people and posts: publishing, feeds, acknowledgements, and who has not.

Milliseconds are CPU of our own process unless a row says otherwise; the store is the embedded one, a program of
its own. Reading and evaluating run on the use cases; what they ask of the store is not in their rows.
Acknowledgements as readers send them are measured by `news_over_grpc`.
"""

import asyncio
import random
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import bson
import store
from devstack.mongo import Mongo
from directory_view import Bitmap, View
from news.adapters import mark_documents
from news.adapters.marks import MARK_INDEXES, GroupedMarks
from news.adapters.store import POST_INDEXES, StoredPosts, _fields
from news.application.audiences import Audiences
from news.application.editing import Editing
from news.application.list_feed import ListFeed
from news.application.list_missing import ListMissing
from news.application.ports import Change, Mark, MarkKind, Taste
from news.application.publish_post import PublishPost
from news.application.reading import Reading
from news.domain.content import Content
from news.domain.feed import Feed
from news.domain.post import Live, Post, State
from news.domain.text import Variant
from rossio.news.v1.events_pb2 import PostAcknowledged, PostPublished
from rpc import Caller
from service import now
from testkit import ministry

Row = dict[str, Any]
EDITOR = Caller("p000001", "person", "e01", frozenset({"news.editor"}))
SIZES = (1_000, 10_000, ministry.FULL_SIZE)
LIVE_POSTS = (100, 1_000, 5_000)
EXPRESSIONS = (
    'profession in ("nurse", "doctor") and not group = "g-direcoes"',
    'group = "g-enfermagem-sns" or group = "g-legado"',
    'entity in ("e01", "e03", "e05") and (role = "prescriber" or unit = "u-e01-01")',
    'not locale = "en-GB"',
)
TEXT = "# Higiene das mãos\n\n" + "Lave as mãos **antes** e depois de cada doente. " * 40
START = datetime(2026, 1, 1, tzinfo=UTC)


def measure() -> list[Row]:
    views = {size: ministry.view(size) for size in SIZES}
    rows = [_expression(views[ministry.FULL_SIZE])]
    rows += [row for size in SIZES for row in _feeds(views[size], size)]
    rows += [row for size in SIZES for row in _marked(views[size], size)]
    rows += [row for size in SIZES for row in asyncio.run(_who_has_not(views[size]))]
    with tempfile.TemporaryDirectory() as folder:
        server = Mongo(Path(folder))
        server.start()
        try:
            rows += asyncio.run(_stored(server.uri, views))
        finally:
            server.kill()
    return rows


# Without the store


def _expression(view: View) -> Row:
    """Nothing is expanded when the directory has just changed; the peer asks person by person."""

    def cold(expression: str) -> Callable[[], object]:
        def work() -> object:
            view._changed()
            return view.audience(expression)

        return work

    worst = max(_best(cold(expression), 5) for expression in EXPRESSIONS)
    people = list(view.people(view.audience("all")))
    officers = view.members("g-direcoes")
    peer = _best(lambda: [p for p in people if p.profession in {"nurse", "doctor"} and p.number not in officers], 2)
    note = f"the slowest of {len(EXPRESSIONS)}, after a change of the directory; peer: asking person by person"
    return _row("audience expression", worst * 1e3, peer * 1e3, "ms", "at most 5", note)


def _feeds(view: View, people: int) -> list[Row]:
    """First pages of readers who have read half of what they have, with ever more live posts."""
    return [_feed(view, people, posts) for posts in LIVE_POSTS]


def _feed(view: View, people: int, posts: int) -> Row:
    chance = random.Random(posts)
    feed, marks = Feed(Audiences(view).of), HeldMarks()
    everybody = view.audience("all")
    audiences = [view.audience(f'entity = "{entity.entity_id}"') for entity in view.entities()]
    audiences += [view.audience(expression) for expression in EXPRESSIONS]
    for number in range(posts):
        post = _live(f"post-{number:05}", chance.choice(audiences), START + timedelta(minutes=number))
        feed.put(post)
        marks.read[post.post_id] = everybody if number % 2 else Bitmap()
    list_feed = ListFeed(Reading(NoPosts(), marks, view, feed), NoTastes())  # type: ignore[arg-type]
    readers = [view.by_number(number) for number in chance.sample(list(everybody), 400)]
    callers = [Caller(each.person_id, "person", each.entity_id, frozenset()) for each in readers if each]

    async def pages() -> list[float]:
        spent = []
        for caller in callers:
            start = time.process_time()
            await list_feed(caller, None, 20)
            spent.append(time.process_time() - start)
        return sorted(spent)

    spent = asyncio.run(pages())
    note = f"first page of 20, {len(callers)} readers of {people}, {posts} live posts, every other one read"
    return _row("feed p99", spent[int(len(spent) * 0.99)] * 1e3, None, "ms", "at most 20", note)


# With the store


async def _stored(uri: str, views: dict[int, View]) -> list[Row]:
    database = store.connect(uri, "bench")
    rows = []
    for size, view in views.items():
        rows += await _publishing(database, view, size)
    rows += await _acknowledging(database, views[ministry.FULL_SIZE])
    await database.close()
    return rows


async def _publishing(database: store.Database, view: View, size: int) -> list[Row]:
    """The peer is the same post as one document per reader, written in bulk."""
    collection = database.collection("posts")
    await database.ensure(collection, POST_INDEXES)
    posts, audiences, feed = StoredPosts(collection), Audiences(view), Feed()
    publish = PublishPost(Editing(posts, feed), audiences)
    drafts = [_draft(f"{size}-{number}") for number in range(20)]
    for draft in drafts:
        await posts.add(draft, Change("create", EDITOR, now()))
    spent = []
    for draft in drafts:
        start = time.process_time()
        await publish(EDITOR, draft.post_id, confirmed=True, etag="1", request="r", at=now())
        spent.append(time.process_time() - start)
    document = {"_id": drafts[0].post_id, **_fields(await posts.get(drafts[0].post_id))}
    per_reader = [
        {"_id": f"{size}/{number}", "post_id": drafts[0].post_id, "number": number, "at": START, "read": False}
        for number in view.audience("all")
    ]
    inbox = database.collection("per_reader")
    start = time.process_time()
    for part in range(0, len(per_reader), 5_000):
        await inbox.bulk([store.Insert(each) for each in per_reader[part : part + 5_000]])
    peer = time.process_time() - start
    note = f"to all {size}; peer: one document per reader"
    ours, theirs = len(bson.encode(document)), sum(len(bson.encode({"version": 1, **each})) for each in per_reader)
    return [
        _row("publish", sorted(spent)[len(spent) // 2] * 1e3, peer * 1e3, "ms", "at most 5", note),
        _row(
            "bytes", ours, theirs, "bytes", "1/250 at full size", f"{note}; ours with a text of {len(TEXT)} characters"
        ),
    ]


async def _acknowledging(database: store.Database, view: View) -> list[Row]:
    """Everybody acknowledges one of the posts that were published to all."""
    collection = database.collection("marks")
    await database.ensure(collection, MARK_INDEXES)
    post_id = f"{ministry.FULL_SIZE}-0"
    marks = [_mark(post_id, each.person_id, each.number) for each in view.people(view.audience("all"))]
    single, one_by_one = database.collection("single"), 500
    start = time.perf_counter()
    for mark in marks[:one_by_one]:
        await single.insert({"_id": mark.person_id, "post_id": mark.post_id, "number": mark.number, "at": START})
    peer = one_by_one / (time.perf_counter() - start)
    async with _running(GroupedMarks(collection, now)) as grouped:
        start = time.perf_counter()
        waiting = iter(marks)
        async with asyncio.TaskGroup() as group:
            for _ in range(500):  # as many calls at once
                group.create_task(_say(grouped, waiting))
        rate = len(marks) / (time.perf_counter() - start)
        taken = await grouped.numbers(MarkKind.ACKNOWLEDGED, post_id, 1)
        assert len(taken) == len(marks)
        rebuilt = await _rebuilt(database, post_id, taken)
        folding = await _folding(collection, grouped)
    async with _running(GroupedMarks(collection, now)) as again:
        assert again.held(MarkKind.ACKNOWLEDGED, post_id, 1) == taken
    note = f"{len(marks)} by 500 calls at once, durable; wall time, the store alone; peer: one write each"
    return [_row("acknowledge, store", rate, peer, "per second", "at least 2000", note), rebuilt, folding]


async def _rebuilt(database: store.Database, post_id: str, acknowledged: Bitmap) -> Row:
    """The posts and the acknowledgements made anew from the facts on their way to the stream, against those held."""
    posts, marks = database.collection("posts"), database.collection("marks")
    facts = [fact for each in (posts, marks) for _, some in await each.pending(10**6) for fact in some]
    start = time.process_time()
    feed, held = Feed(), Bitmap()
    for fact in facts:
        kind = dict(fact.headers).get("ce_type", b"").decode()
        if kind.endswith("PostPublished"):
            event = PostPublished.FromString(fact.payload)
            feed.put(_live(event.post_id, Bitmap.deserialize(event.audience), event.post.published_at.ToDatetime(UTC)))
        elif kind.endswith("PostAcknowledged"):
            said = PostAcknowledged.FromString(fact.payload)
            held.update(each.number for each in said.acknowledgements if said.post_id == post_id)
    spent = time.process_time() - start
    live = Feed()
    async for post in StoredPosts(posts).live():
        live.put(post)
    assert len(feed) == len(live) > 0
    for number in islice(acknowledged, 0, None, 1000):
        assert [each.post_id for each in feed.read(number)] == [each.post_id for each in live.read(number)]
    assert held == acknowledged
    note = f"{len(live)} posts and {len(held)} acknowledgements from {len(facts)} facts; equal to what is held"
    return _row("rebuilt from the stream", spent * 1e3, None, "ms", "equal", note)


async def _folding(collection: store.Collection, grouped: GroupedMarks) -> Row:
    """As if the facts were published and ten minutes over."""
    before = [each async for each in collection.find({"loose": True})]
    await collection.published_all(
        [(each, [fact.id for fact in some]) for each, some in await collection.pending(10**6)]
    )
    start = time.process_time()
    await grouped.fold(now() + timedelta(hours=1))
    spent = time.process_time() - start
    (after,) = [each async for each in collection.find({"post_id": before[0]["post_id"], "text_version": 1})]
    people = len(Bitmap.deserialize(after["people"]))
    size = [sum(len(bson.encode(each)) for each in some) / people for some in ([after], before)]
    note = f"a reader of {people}, in 1 document; peer: before, in {len(before)}; folding took {spent * 1e3:.0f} ms"
    return _row("bytes of acknowledgements", size[0], size[1], "bytes", "", note)


def _marked(view: View, people: int) -> list[Row]:
    """What the marks of one post take in the store, each of its readers having come alone, and in memory."""
    everybody = view.audience("all")
    chance = random.Random(people)
    rows = []
    for kind in (MarkKind.READ, MarkKind.ACKNOWLEDGED):
        some = Bitmap(number for number in everybody if chance.random() < 0.7)
        alone = [
            mark_documents.together(
                [replace(_mark("p", f"person{number}", number), kind=kind)],
                START + timedelta(seconds=chance.random() * 7 * 86_400),
            ).document
            for number in some
        ]
        start = time.process_time()
        one = mark_documents.folded((kind.value, "p", 1), alone, START)
        spent = time.process_time() - start
        note = (
            f"a reader of {len(some)} of {people}, over a week; peer: a document each; folding {spent * 1e3:.0f} ms, "
            f"in memory {len(some.serialize()):,} bytes in all"
        )
        ours, peer = len(bson.encode(one)) / len(some), sum(len(bson.encode(each)) for each in alone) / len(some)
        rows.append(_row(f"bytes of marks, {kind.value}", ours, peer, "bytes", "", note))
    return rows


async def _say(grouped: GroupedMarks, marks: Any) -> None:
    for mark in marks:
        await grouped.add(mark)


async def _who_has_not(view: View) -> list[Row]:
    """Half of the ministry has; the peer is a difference of Python sets."""
    everybody = view.audience("all")
    held = HeldMarks()
    held.read["all"] = Bitmap(islice(everybody, 0, None, 2))
    post = _live("all", everybody, START)
    posts = NoPosts(post)
    use_case = ListMissing(posts, held, Audiences(view), view)  # type: ignore[arg-type]
    spent = []
    for act in (lambda: use_case(EDITOR, "all", None, 100), lambda: use_case.cells(EDITOR, "all")):
        costs = []
        for _ in range(10):
            start = time.process_time()
            await act()
            costs.append(time.process_time() - start)
        spent.append(min(costs))
    audience, done = set(everybody), set(held.read["all"])
    peer = _best(lambda: audience - done, 3)
    size = len(everybody)
    return [
        _row("who has not", spent[0] * 1e3, peer * 1e3, "ms", "at most 5", f"100 of {size}; peer: Python sets"),
        _row("who has not by unit", spent[1] * 1e3, None, "ms", "at most 5", f"counts of {size} by entity and unit"),
    ]


# What the use cases stand on


class HeldMarks:
    """Marks in memory, the same for reading and acknowledging."""

    def __init__(self) -> None:
        self.read: dict[str, Bitmap] = {}

    def held(self, kind: MarkKind, post_id: str, text_version: int) -> Bitmap:
        return self.read[post_id] if kind is MarkKind.READ else Bitmap()

    async def numbers(self, kind: MarkKind, post_id: str, text_version: int) -> Bitmap:
        return self.read[post_id]


class NoPosts:
    """One post at most; feeds do not ask."""

    def __init__(self, post: Post | None = None) -> None:
        self._post = post

    async def get(self, post_id: str) -> Post:
        assert self._post is not None
        return self._post


class NoTastes:
    async def get(self, person_id: str) -> Taste:
        return Taste()


def _draft(post_id: str) -> Post:
    content = Content(variants=(Variant.of("pt-PT", "Higiene das mãos", TEXT),), audience="all", mandatory=True)
    return Post(post_id, "e01", "p000001", content, editors=("p000001",))


CONTENT = Content(variants=(Variant.of("pt-PT", "Aviso", "Texto."), Variant.of("en", "Note", "Text.")), audience="all")


def _live(post_id: str, people: Bitmap, at: datetime) -> Post:
    return Post(post_id, "e01", "p000001", CONTENT, state=State.PUBLISHED, live=Live(CONTENT, people, at, 1))


def _mark(post_id: str, person_id: str, number: int) -> Mark:
    return Mark(MarkKind.ACKNOWLEDGED, post_id, 1, "e01", person_id, number)


@asynccontextmanager
async def _running(marks: GroupedMarks) -> AsyncIterator[GroupedMarks]:
    await marks.start()
    yield marks
    await marks.stop()


def _best(work: Callable[[], object], times: int) -> float:
    best = float("inf")
    for _ in range(times):
        start = time.process_time()
        work()
        best = min(best, time.process_time() - start)
    return best


def _row(metric: str, ours: float, peer: float | None, unit: str, aim: str, note: str) -> Row:
    ratio = None if peer is None else ours / peer
    return {"metric": metric, "ours": ours, "peer": peer, "ratio": ratio, "unit": unit, "aim": aim, "note": note}
