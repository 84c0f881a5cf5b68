"""The index of one entity: a tantivy index in a folder of this process, of sealed words and ids."""

import asyncio
import shutil
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import tantivy
from errors import Transient
from tantivy import FieldType, Occur, Order

from document.adapters.terms import SealedTerms
from document.application.search_ports import Entry, Marks
from document.domain.search import (
    LONGEST_IN_TEXT,
    SHORTEST_IN_TEXT,
    Filters,
    Part,
    Place,
    Query,
    beginnings,
    beginnings_in_text,
    modified_at,
    order_of,
    pieces,
    type_of,
    words,
)

WRITER_BYTES: Final = 15_000_000
"""The least that tantivy takes for a writer."""
_TIES: Final = 32


TEXT_FIELDS: Final = ("node_id", "above", "type", "author", "starts", "within", "english", "name", "text")
_IN_ORDER: Final = frozenset({"name", "text"})


def _schema() -> tantivy.Schema:
    builder = tantivy.SchemaBuilder()
    for name in TEXT_FIELDS:
        positions = "position" if name in _IN_ORDER else "basic"
        builder.add_text_field(name, stored=name == "node_id", tokenizer_name="whitespace", index_option=positions)
    for name in ("order", "modified"):
        builder.add_unsigned_field(name, indexed=True, fast=True)
    for name in ("mark", "place"):
        builder.add_unsigned_field(name, stored=True)
    return builder.build()


SCHEMA: Final = _schema()
_Query: Final = tantivy.Query


class TantivyIndex:
    """The port `Index`; `key` gives the key of the words, and raises NotFound SHREDDED when it is gone.

    What it holds in memory goes with `shut`, and comes again with the next use.
    """

    def __init__(self, folder: Path, key: Callable[[], Awaitable[bytes]], entity_id: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.entity_id = entity_id
        self._key = key
        self._terms: tuple[bytes, SealedTerms] | None = None
        self._index: tantivy.Index | None = tantivy.Index(SCHEMA, path=str(folder))
        self._writer: tantivy.IndexWriter | None = None
        self._writing = asyncio.Lock()

    async def marks(self, node_ids: Sequence[str]) -> Mapping[str, Marks]:
        return await asyncio.to_thread(self._marks, node_ids)

    async def put(self, entries: Sequence[Entry], gone: Sequence[str], gone_below: Sequence[str]) -> None:
        terms = await self._sealed()
        async with self._writing:
            try:
                await asyncio.to_thread(self._put, terms, entries, gone, gone_below)
            except (OSError, ValueError) as error:  # what tantivy raises of a disk that is full, or away
                self._writer = None
                raise Transient("the index cannot be written", reason="INDEX_UNWRITABLE") from error

    async def all(self, after: Place | None, limit: int) -> Sequence[Place]:
        wanted = [(Occur.Must, _Query.all_query())]
        return await asyncio.to_thread(_page, self._opened().searcher(), wanted, Part.ANYWHERE, after, limit)

    async def find(
        self, query: Query, filters: Filters, roots: Sequence[str], after: Place | None, limit: int
    ) -> Sequence[Place]:
        terms = await self._sealed()
        return await asyncio.to_thread(self._find, terms, query, filters, roots, after, limit)

    async def check_key(self) -> None:
        """Raises:
        NotFound: SHREDDED.
        """
        await self._key()

    async def rest(self) -> None:
        """Gives the writer's memory back, when its merges are done."""
        async with self._writing:
            writer, self._writer = self._writer, None
            if writer is not None:
                await asyncio.to_thread(writer.wait_merging_threads)

    def shut(self) -> None:
        """Gives back the memory of an index that nobody uses; one that is being written keeps it."""
        if self._writer is None and not self._writing.locked():
            self._index = self._terms = None

    async def remove(self) -> None:
        """Takes it from the disk."""
        await self.rest()
        await asyncio.to_thread(shutil.rmtree, self.folder, ignore_errors=True)

    @property
    def writes(self) -> bool:
        return self._writer is not None

    @property
    def open(self) -> bool:
        return self._index is not None

    def _opened(self) -> tantivy.Index:
        """Raises:
        Transient: INDEX_BUILDING, another one has taken its place.
        """
        index = self._index
        if index is None:
            if not self.folder.exists():
                raise Transient("the index is being made", reason="INDEX_BUILDING")
            self._index = index = tantivy.Index(SCHEMA, path=str(self.folder))
        return index

    async def _sealed(self) -> SealedTerms:
        key = await self._key()
        if self._terms is None or self._terms[0] != key:
            self._terms = key, SealedTerms(key)
        return self._terms[1]

    def _marks(self, node_ids: Sequence[str]) -> dict[str, Marks]:
        searcher = self._opened().searcher()
        query = _Query.term_set_query(SCHEMA, "node_id", list(node_ids))
        found = searcher.search(query, limit=max(len(node_ids), 1), count=False).hits
        documents = [searcher.doc(address) for _, address in found]
        return {document["node_id"][0]: Marks(document["mark"][0], document["place"][0]) for document in documents}

    def _put(
        self, terms: SealedTerms, entries: Sequence[Entry], gone: Sequence[str], gone_below: Sequence[str]
    ) -> None:
        index = self._opened()
        if self._writer is None:
            self._writer = index.writer(WRITER_BYTES, 1)
        writer = self._writer
        for node_id in (*gone, *(entry.node.node_id for entry in entries)):
            writer.delete_documents_by_term("node_id", node_id)
        for folder_id in gone_below:
            writer.delete_documents_by_term("above", folder_id)
        for entry in entries:
            writer.add_document(tantivy.Document.from_dict(_document(terms, entry), SCHEMA))
        writer.commit()
        index.reload()

    def _find(
        self,
        terms: SealedTerms,
        query: Query,
        filters: Filters,
        roots: Sequence[str],
        after: Place | None,
        limit: int,
    ) -> list[Place]:
        searcher = self._opened().searcher()
        places = list[Place]()
        for part in Part if query.sought else (Part.ANYWHERE,):
            if after is None or part >= after.part:
                wanted = _in_part(terms, query, part, [*_held(terms, filters), _below(roots)])
                behind = after if after and after.part == part else None
                places += _page(searcher, wanted, part, behind, limit - len(places))
            if len(places) == limit:
                break
        return places


def _page(searcher: tantivy.Searcher, wanted: list[Any], part: Part, after: Place | None, limit: int) -> list[Place]:
    """Places in one part; what shares its order with the last one is asked for once more, and left out here."""
    if after is not None:
        behind = _Query.range_query(SCHEMA, "order", FieldType.Unsigned, upper_bound=after.order)
        wanted = [*wanted, (Occur.Must, behind)]
    found = searcher.search(
        _Query.boolean_query(wanted), limit=limit + _TIES, count=False, order_by_field="order", order=Order.Desc
    ).hits
    places = [Place(part, order, searcher.doc(address)["node_id"][0]) for order, address in found]
    places.sort(key=lambda place: place.sort_key)
    return [place for place in places if after is None or place.sort_key > after.sort_key][:limit]


def _document(terms: SealedTerms, entry: Entry) -> dict[str, Any]:
    node = entry.node
    named = words(node.name)
    text, english, within = list[str](), terms.english(named), set[str]()
    for piece in pieces(entry.text):
        found = words(piece)
        text.append(terms.text(found))
        english |= terms.english(found)
        within.update(start for word in set(found) for start in beginnings_in_text(word))
    return {
        "node_id": node.node_id,
        "above": " ".join(entry.above),
        "type": type_of(node).value,
        "author": terms.seal("author", node.versions[-1].author_id) if node.versions else "",
        "starts": " ".join({terms.seal("start", start) for word in named for start in beginnings(word)}),
        "within": " ".join([terms.seal("start", start) for start in within]),
        "name": terms.text(named),
        "text": " ".join(text),
        "english": " ".join(english),
        "order": order_of(node),
        "modified": _milliseconds(modified_at(node)),
        "mark": entry.mark,
        "place": entry.place,
    }


def _below(roots: Sequence[str]) -> tuple[Occur, Any]:
    return Occur.Must, _Query.term_set_query(SCHEMA, "above", list(roots))


def _held(terms: SealedTerms, filters: Filters) -> Iterator[tuple[Occur, Any]]:
    for above in filter(None, (filters.space_id, filters.folder_id)):
        yield Occur.Must, _term("above", above)
    if filters.types:
        yield Occur.Must, _Query.term_set_query(SCHEMA, "type", [each.value for each in filters.types])
    if filters.author_id:
        yield Occur.Must, _term("author", terms.seal("author", filters.author_id))
    bounds = dict[str, Any]()
    if filters.modified_from:
        bounds["lower_bound"] = _milliseconds(filters.modified_from)
    if filters.modified_until:
        bounds |= {"upper_bound": _milliseconds(filters.modified_until), "include_upper": False}
    if bounds:
        yield Occur.Must, _Query.range_query(SCHEMA, "modified", FieldType.Unsigned, **bounds)


def _in_part(terms: SealedTerms, query: Query, part: Part, held: list[tuple[Occur, Any]]) -> list[tuple[Occur, Any]]:
    """What is found in a part, and not in the one before."""
    in_name = [
        *(_any([_term("name", term) for term in set(terms.of_word(word))]) for word in query.words),
        *(_phrase(terms, "name", phrase) for phrase in query.phrases),
        *(_term("starts", terms.seal("start", start)) for start in query.beginnings),
    ]
    without = [(Occur.MustNot, _anywhere(terms, word)) for word in query.without]
    if part is Part.NAME:
        return [*((Occur.Must, each) for each in in_name), *held, *without]
    anywhere = [
        *(_anywhere(terms, word) for word in query.words),
        *(_any([_phrase(terms, field, phrase) for field in ("name", "text")]) for phrase in query.phrases),
        *(_begun(terms, start) for start in query.beginnings),
    ]
    if in_name:
        without.append((Occur.MustNot, _Query.boolean_query([(Occur.Must, each) for each in in_name])))
    return [*((Occur.Must, each) for each in anywhere), *held, *without]


def _anywhere(terms: SealedTerms, word: str) -> Any:
    portuguese, english = terms.of_word(word)
    fields = [(field, term) for field in ("name", "text") for term in {portuguese, english}]
    return _any([_term(field, term) for field, term in (*fields, ("english", english))])


def _phrase(terms: SealedTerms, field: str, phrase: Sequence[str]) -> Any:
    return _Query.phrase_query(SCHEMA, field, [terms.of_word(word)[0] for word in phrase])


def _begun(terms: SealedTerms, start: str) -> Any:
    """In a name, or in a text if it is long enough to be told from most other words."""
    found = [_term("starts", terms.seal("start", start))]
    if len(start) >= SHORTEST_IN_TEXT:
        found.append(_term("within", terms.seal("start", start[:LONGEST_IN_TEXT])))
    return _any(found)


def _any(queries: list[Any]) -> Any:
    return _Query.boolean_query([(Occur.Should, query) for query in queries])


def _term(field: str, term: str) -> Any:
    return _Query.term_query(SCHEMA, field, term, index_option="basic")


def _milliseconds(at: datetime) -> int:
    return max(round(at.timestamp() * 1000), 0)
