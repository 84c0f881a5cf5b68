"""What search costs in document: making the index from the store, looking into files, and finding in it.

Nodes are in the embedded store, texts in memory, and the index on the disk; use cases and adapters, without gRPC.
Words are drawn as in a language, a few very often and most seldom (Zipf), so that queries match from one file to all.
"""

import asyncio
import random
import tempfile
import time
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

import store
from devstack.mongo import Mongo
from document.adapters.extraction.extractor import Limits, ProcessExtractor
from document.adapters.indexes import LocalIndexes
from document.adapters.reading import NodeReader
from document.adapters.store import INDEXES, NodeStore
from document.adapters.terms import SnowballStemmer
from document.application.follow_store import FollowStore
from document.application.index_nodes import Awaited, IndexNodes
from document.application.search import Search
from document.domain.content import Stored
from document.domain.extraction import Extracted, Outcome
from document.domain.node import Act, Node, new_file, new_folder, new_space
from document.domain.permissions import Grant, Grantee, GranteeKind, Role, Subject
from document.domain.search import Filters, Query

if TYPE_CHECKING:
    from document.application.ports import Content, Directory, Nodes
    from document.application.search_ports import Epochs, Texts

AT: Final = datetime(2026, 1, 1, tzinfo=UTC)
FILES: Final = 5_000
_FOLDER: Final = 1_000
_WORDS: Final = 300
_VOCABULARY: Final = [f"palavra{number}" for number in range(30_000)]
_QUERIES: Final = 400
_LOOKED_INTO: Final = 40
_OWNER: Final = Subject(GranteeKind.PERSON, "p1", "e1")
_GUEST: Final = Subject(GranteeKind.PERSON, "p2", "e2")
_EVERY: Final = 100
"""The guest may read one file of so many."""


def measure() -> list[dict[str, Any]]:
    return asyncio.run(_measured())


async def _measured() -> list[dict[str, Any]]:
    async with _reader() as (nodes, reader), _folder() as folder:
        await _fill(nodes)
        texts = _Texts()
        indexes = LocalIndexes(folder, texts.derived_key)
        index_nodes = IndexNodes(reader, indexes, cast("Texts", texts), cast("Content", texts), Awaited())
        follow = FollowStore(reader, indexes, index_nodes, cast("Epochs", texts))
        began, cpu = time.perf_counter(), time.process_time()
        await follow.whole(datetime.now(UTC))
        wall, cpu = time.perf_counter() - began, time.process_time() - cpu
        size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        search = Search(
            nodes=cast("Nodes", nodes),
            everything=reader,
            indexes=indexes,
            texts=cast("Texts", texts),
            content=cast("Content", texts),
            directory=cast("Directory", texts),
            stemmer=SnowballStemmer(),
            ready=lambda: True,
        )
        note = f"{FILES:,} files of {_WORDS} words; {cpu / FILES * 1e3:.2f} ms CPU each, {size / 1e6:.0f} MB of index"
        rows = [_row("index from the store", FILES / wall, "files/s", note), *await _searches(search)]
        await indexes.close()
    return [*rows, await _extraction()]


def _row(metric: str, ours: float, unit: str, note: str) -> dict[str, Any]:
    return {"metric": metric, "ours": ours, "peer": None, "ratio": None, "unit": unit, "aim": "", "note": note}


async def _searches(search: Search) -> list[dict[str, Any]]:
    rows = []
    for subject, who in ((_OWNER, "all files are theirs"), (_GUEST, f"one file of {_EVERY} is theirs")):
        walls, found, chance = [], 0, random.Random(7)
        for words in range(1, 3):
            for _ in range(_QUERIES // 2):
                query = Query(words=tuple(dict.fromkeys(_drawn(chance, words))))
                began = time.perf_counter()
                found += len((await search(subject, query, Filters(), None, 20)).found)
                walls.append((time.perf_counter() - began) * 1e3)
        walls.sort()
        note = f"{FILES:,} files, {who}; a page of 20 with snippets, {found / len(walls):.1f} found on average"
        rows.append(_row(f"search p50, {who}", walls[len(walls) // 2], "ms wall", note))
        rows.append(_row(f"search p99, {who}", walls[len(walls) * 99 // 100], "ms wall", note))
    return rows


async def _extraction() -> dict[str, Any]:
    async def chunks() -> AsyncIterator[bytes]:
        yield b"palavra " * 1_000

    extractor = ProcessExtractor(Limits())
    began = time.perf_counter()
    for _ in range(_LOOKED_INTO):
        taken = await extractor.extract("text/plain", chunks())
        assert taken.outcome is Outcome.TEXT
    return _row(
        "text out of a file", _LOOKED_INTO / (time.perf_counter() - began), "files/s", "8 KB of text, one at once"
    )


def _drawn(chance: random.Random, count: int) -> list[str]:
    return [_VOCABULARY[min(int(chance.paretovariate(0.7)), len(_VOCABULARY)) - 1] for _ in range(count)]


async def _fill(nodes: NodeStore) -> None:
    act = Act("space", _OWNER, AT)
    top = new_space(act, "space", personal=False)
    await nodes.add_all([top], None)
    shared = Grant("g", Grantee(GranteeKind.PERSON, _GUEST.id), Role.READER, "p1", AT)
    for first in range(0, FILES, _FOLDER):
        folder = new_folder(replace(act, act_id=f"folder{first}"), top, 1, f"folder {first}")
        made: list[Node] = [folder]
        for number in range(first, first + _FOLDER):
            its = Act(f"n{number}", _OWNER, AT + timedelta(seconds=number))
            stored = Stored(1, "00", "text/plain", f"e1:{number}")
            file = new_file(its, folder, 2, f"ficheiro {number}.txt", stored)
            made.append(replace(file, grants=(shared,)) if number % _EVERY == 0 else file)
        await nodes.add_all(made, None)


class _Texts:
    """The texts of the files, content that holds them, the key, and a directory without groups: all in memory."""

    async def find(self, refs: Sequence[str]) -> Mapping[str, Extracted]:
        return {ref: Extracted(Outcome.TEXT, ref) for ref in refs}

    async def get(self, ref: str, offset: int = 0, length: int | None = None) -> AsyncIterator[bytes]:
        yield " ".join(_drawn(random.Random(ref), _WORDS)).encode()

    async def derived_key(self, scope: str, purpose: str) -> bytes:
        return f"{scope}{purpose}".encode().ljust(32, b"x")[:32]

    def groups_of(self, person_id: str) -> Collection[str]:
        return ()


@asynccontextmanager
async def _folder() -> AsyncIterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


@asynccontextmanager
async def _reader() -> AsyncIterator[tuple[NodeStore, NodeReader]]:
    with tempfile.TemporaryDirectory() as folder:
        server = Mongo(Path(folder))
        server.start()
        database = store.connect(server.uri, "bench")
        try:
            documents = database.collection("nodes")
            await database.ensure(documents, INDEXES)
            yield NodeStore(documents), NodeReader(documents)
        finally:
            await database.close()
            server.kill()
