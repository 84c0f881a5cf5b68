"""The index on a disk: what is found in it, what it holds, and what of it stays."""

import gc
import random
import weakref
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import tantivy
from document.adapters.index import TEXT_FIELDS
from document.adapters.indexes import OPEN, WRITERS, LocalIndexes
from document.adapters.terms import SealedTerms
from document.application.search_ports import Entry
from document.domain.content import Stored
from document.domain.node import Act, Node, new_file, new_folder, new_space, with_version
from document.domain.permissions import GranteeKind, Subject
from document.domain.search import Filters, Place, parse
from errors import NotFound, Transient

AT = datetime(2026, 1, 1, tzinfo=UTC)
SOMEBODY = Subject(GranteeKind.PERSON, "p1", "e1")
SPACE = new_space(Act("space", SOMEBODY, AT), "Casa", personal=False)


def act(act_id: str, minutes: int = 0) -> Act:
    return Act(act_id, SOMEBODY, AT + timedelta(minutes=minutes))


def entry(node_id: str, name: str, text: str, minutes: int = 0, mark: int = 1, above: Sequence[str] = ()) -> Entry:
    node = new_file(act(node_id, minutes), SPACE, 1, name, Stored(1, "00", "text/plain", "blob"))
    return Entry(node, ("space", *above, node_id), text, mark, mark)


class Keys:
    """Keys of entities, until they are destroyed."""

    def __init__(self) -> None:
        self.destroyed = set[str]()

    async def __call__(self, entity_id: str, purpose: str) -> bytes:
        if entity_id in self.destroyed:
            raise NotFound("gone", reason="SHREDDED")
        return (entity_id + purpose).encode().ljust(32, b"x")


@pytest.fixture
def keys() -> Keys:
    return Keys()


@pytest.fixture
def indexes(tmp_path: Path, keys: Keys) -> LocalIndexes:
    return LocalIndexes(tmp_path, keys)


async def put(indexes: LocalIndexes, *entries: Entry) -> None:
    for index in await indexes.written("e1"):
        await index.put(entries, [], [])


async def find(indexes: LocalIndexes, query: str, after: Place | None = None, limit: int = 100) -> list[Place]:
    index = await indexes.answering("e1")
    return [] if index is None else list(await index.find(parse(query), Filters(), ["space"], after, limit))


async def ids(indexes: LocalIndexes, query: str) -> list[str]:
    return [place.node_id for place in await find(indexes, query)]


async def test_a_page_goes_on_where_the_last_one_ended_also_among_equals(indexes: LocalIndexes):
    """Files of one moment, and the index in many pieces: each comes once, whatever the size of the pages."""
    entries = [entry(f"n{number:03}", "a.txt", "palavra", minutes=number // 40) for number in range(120)]
    random.Random(1).shuffle(entries)
    for begin in range(0, 120, 30):
        await put(indexes, *entries[begin : begin + 30])
    whole = await find(indexes, "palavra", limit=1000)
    assert len({place.node_id for place in whole}) == 120
    for size in (1, 7, 50):
        seen: list[Place] = []
        while page := await find(indexes, "palavra", seen[-1] if seen else None, size):
            seen += page
        assert seen == whole


async def test_places_of_equal_order_are_told_apart(indexes: LocalIndexes, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("document.adapters.index.order_of", lambda _: 7)
    await put(indexes, *(entry(f"n{number}", "a.txt", "palavra") for number in range(20)))
    seen: list[Place] = []
    while page := await find(indexes, "palavra", seen[-1] if seen else None, 3):
        seen += page
    assert sorted(place.node_id for place in seen) == sorted(f"n{number}" for number in range(20))


async def test_a_name_is_one_hit_and_comes_first(indexes: LocalIndexes):
    await put(
        indexes, entry("a", "plano.txt", "x"), entry("b", "b.txt", "plano", 5), entry("c", "planos.odt", "plano", 9)
    )
    assert await ids(indexes, "plano") == ["c", "a", "b"]
    assert await ids(indexes, "pla*") == ["c", "a", "b"]
    assert await ids(indexes, "plano -odt") == ["a", "b"]


async def test_a_beginning_is_found_in_texts_too_behind_the_names(indexes: LocalIndexes):
    await put(
        indexes,
        entry("a", "a.txt", "o relatório anual da administração", 5),
        entry("b", "relatos.txt", "nada", 1),
        entry("c", "c.txt", "relance", 9),
    )
    assert await ids(indexes, "relat*") == ["b", "a"]
    assert await ids(indexes, "anual relatóri*") == ["a"]
    assert await ids(indexes, "administraç*") == ["a"]
    assert await ids(indexes, "re*") == ["b"], "two letters are looked for in names alone"


async def test_few_indexes_are_held_open_and_fewer_written_and_all_of_them_answer(indexes: LocalIndexes):
    """Memory of a process is bounded whatever number of entities it has seen; what is shut opens when it is asked."""
    entities = [f"e{number}" for number in range(OPEN + 9)]
    for entity_id in entities:
        for index in await indexes.written(entity_id):
            await index.put([entry("a", "a.txt", "palavra")], [], [])
    held = [index for index in [await indexes.answering(each) for each in entities] if index is not None]
    assert (len(held), sum(index.open for index in held)) == (len(entities), OPEN)
    assert sum(index.writes for index in held) <= WRITERS
    for index in held:
        assert [place.node_id for place in await index.find(parse("palavra"), Filters(), ["space"], None, 9)] == ["a"]


async def test_who_asks_an_index_that_was_replaced_while_it_was_shut_is_told_to_ask_again(indexes: LocalIndexes):
    await put(indexes, entry("a", "a.txt", "palavra"))
    old = await indexes.answering("e1")
    assert old is not None
    await old.rest()
    old.shut()
    await old.remove()
    with pytest.raises(Transient) as refused:
        await old.find(parse("palavra"), Filters(), ["space"], None, 9)
    assert refused.value.reason == "INDEX_BUILDING"


def test_the_terms_of_an_index_that_is_shut_are_freed_at_once():
    """Not when the interpreter next looks for cycles: thousands of words an entity wait for it otherwise."""
    terms = SealedTerms(b"k" * 32)
    terms.text(["palavra"])
    freed = weakref.ref(terms)
    gc.disable()
    try:
        del terms
        assert freed() is None
    finally:
        gc.enable()


async def test_only_what_lies_below_a_root_is_found(indexes: LocalIndexes):
    await put(indexes, entry("a", "a.txt", "x", above=["f"]), entry("b", "b.txt", "x"))
    index = await indexes.answering("e1")
    assert index is not None
    found = await index.find(parse("x"), Filters(), ["f", "elsewhere"], None, 10)
    assert [place.node_id for place in found] == ["a"]
    assert await index.find(parse("x"), Filters(), ["elsewhere"], None, 10) == []


async def test_what_is_below_goes_with_its_folder(indexes: LocalIndexes):
    await put(indexes, entry("a", "a.txt", "x", above=["f"]), entry("b", "b.txt", "x"))
    for index in await indexes.written("e1"):
        await index.put([], [], ["f"])
    assert await ids(indexes, "x") == ["b"]


@pytest.mark.parametrize("sealed", [True, False])
async def test_the_disk_holds_no_word_name_or_person(
    indexes: LocalIndexes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sealed: bool
):
    """Each term of each field is looked at; unsealed the words are there, so that looking is worth something."""
    if not sealed:
        monkeypatch.setattr("document.adapters.terms._sealed", lambda _, kind, value: f"{kind}{value}")
    await put(indexes, entry("nodeidentifier", "Girassol.txt", "hipopotamo " * 50))
    await indexes.close()
    (folder,) = tmp_path.glob("*/e1.0")
    searcher = tantivy.Index.open(str(folder)).searcher()
    terms = {term for field in TEXT_FIELDS for term, _ in searcher.terms_with_prefix(field, "")}
    assert {"nodeidentifier", "space", "text"} <= terms
    clear = {word for word in ("hipopotam", "girassol", "p1") if any(word in term.lower() for term in terms)}
    assert clear == (set() if sealed else {"hipopotam", "girassol", "p1"})
    if sealed:
        disk = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()).lower()
        assert not [word for word in (b"hipopot", b"girass") if word in disk]


async def test_an_index_goes_with_the_keys_of_its_entity(indexes: LocalIndexes, keys: Keys, tmp_path: Path):
    await put(indexes, entry("a", "a.txt", "x"))
    assert [path.name for path in tmp_path.glob("*/*")] == ["e1.0"]
    keys.destroyed.add("e1")
    with pytest.raises(NotFound):
        await ids(indexes, "x")
    assert await indexes.drop_unreadable() == ["e1"]
    assert list(tmp_path.glob("*/*")) == []
    with pytest.raises(NotFound):
        await put(indexes, entry("a", "a.txt", "x"))
    assert list(tmp_path.glob("*/*")) == []


async def test_a_new_index_takes_the_place_of_the_old_one_when_it_is_whole(
    indexes: LocalIndexes, keys: Keys, tmp_path: Path
):
    await put(indexes, entry("a", "a.txt", "velho"), entry("b", "b.txt", "velho"))
    made = await indexes.begin("e1", 3)
    assert made is not None
    await made.put([entry("a", "a.txt", "novo")], [], [])
    await put(indexes, entry("c", "c.txt", "novo", 1))
    assert await ids(indexes, "novo") == ["c"]
    await indexes.finish("e1")
    assert await ids(indexes, "novo") == ["c", "a"]
    assert await ids(indexes, "velho") == []
    assert await indexes.begin("e1", 3) is None
    assert [path.name for path in tmp_path.glob("*/*")] == ["e1.3"]
    await indexes.close()
    again = LocalIndexes(tmp_path, keys)
    assert await ids(again, "novo") == ["c", "a"]
    assert await again.begin("e1", 3) is None


async def test_what_is_half_made_torn_or_of_another_format_is_not_taken_up(
    indexes: LocalIndexes, keys: Keys, tmp_path: Path
):
    await put(indexes, entry("a", "a.txt", "x"))
    await indexes.begin("e1", 1)
    await indexes.close()
    (tmp_path / "0" / "e1.0").mkdir(parents=True)
    assert await ids(LocalIndexes(tmp_path, keys), "x") == ["a"]
    assert [path.name for path in tmp_path.glob("*/*")] == ["e1.0"]
    for path in tmp_path.glob("*/e1.0/meta.json"):
        path.write_text("{")
    torn = LocalIndexes(tmp_path, keys)
    assert await ids(torn, "x") == []
    await put(torn, entry("a", "a.txt", "x"))
    assert await ids(torn, "x") == ["a"]


async def test_few_writers_hold_memory(tmp_path: Path, keys: Keys):
    indexes = LocalIndexes(tmp_path, keys)
    for number in range(20):
        for index in await indexes.written(f"e{number}"):
            await index.put([entry("a", "a.txt", "x")], [], [])
    writing = [await indexes.answering(f"e{number}") for number in range(20)]
    assert sum(index is not None and index.writes for index in writing) <= 9


async def test_marks_are_those_of_the_last_entry(indexes: LocalIndexes):
    await put(indexes, entry("a", "a.txt", "x", mark=1))
    await put(indexes, entry("a", "a.txt", "y", mark=2))
    index = await indexes.answering("e1")
    assert index is not None
    assert {node: marks.mark for node, marks in (await index.marks(["a", "b"])).items()} == {"a": 2}
    assert [place.node_id for place in await index.all(None, 10)] == ["a"]


async def test_a_folder_and_an_old_file_are_of_their_time(indexes: LocalIndexes):
    folder = new_folder(act("f", 1), SPACE, 1, "plano")
    file = new_file(act("a", 2), SPACE, 1, "plano.txt", Stored(1, "00", "", "blob"))
    newer: Node = replace(with_version(file, act("v", 90), Stored(1, "00", "", "blob2")), node_id="b")
    await put(indexes, *(Entry(node, ("space", node.node_id), "", 1, 1) for node in (file, newer, folder)))
    assert await ids(indexes, "plano") == ["b", "a", "f"]


async def test_a_disk_that_takes_nothing_is_waited_for(indexes: LocalIndexes, monkeypatch: pytest.MonkeyPatch):
    await put(indexes, entry("a", "a.txt", "x"))

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("document.adapters.index.TantivyIndex._put", full)
        with pytest.raises(Transient):
            await put(indexes, entry("b", "b.txt", "x"))
    await put(indexes, entry("b", "b.txt", "x", 1))
    assert await ids(indexes, "x") == ["b", "a"]
