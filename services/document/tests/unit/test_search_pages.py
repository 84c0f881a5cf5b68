"""Pages of what is found when the index proposes much that is not for the caller; and what goes with collection."""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from document.adapters.terms import SnowballStemmer
from document.application.collect import Referred
from document.application.index_nodes import Awaited
from document.application.search import Search
from document.domain.content import Stored
from document.domain.node import Act, Node, new_file, new_space, shared
from document.domain.permissions import Grantee, GranteeKind, Role, Subject
from document.domain.search import Filters, Part, Place, Query, order_of
from errors import Transient

AT = datetime(2026, 1, 1, tzinfo=UTC)
OWNER, GUEST = Subject(GranteeKind.PERSON, "p1", "e1"), Subject(GranteeKind.PERSON, "p2", "e2")
SPACE = new_space(Act("space", OWNER, AT), "Casa", personal=False)


def files(count: int, readable: set[int]) -> list[Node]:
    """The newest first."""
    made = []
    for number in range(count):
        act = Act(f"n{number:05}", OWNER, AT - timedelta(minutes=number))
        node = new_file(act, SPACE, 1, f"{number}.txt", Stored(1, "00", "", f"b{number}"))
        made.append(shared(node, act, Grantee(GranteeKind.PERSON, "p2"), Role.READER) if number in readable else node)
    return made


class World:
    """A store, and an index that proposes every file, also those that are gone."""

    def __init__(self, nodes: Sequence[Node], gone: int = 0) -> None:
        self._places = [Place(Part.ANYWHERE, order_of(node), node.node_id) for node in nodes]
        self._nodes = {node.node_id: node for node in nodes[gone:]}
        self.asked = 0

    async def answering(self, entity_id: str) -> "World":
        assert entity_id == "e1"
        return self

    async def find(
        self, query: Query, filters: Filters, roots: Sequence[str], after: Place | None, limit: int
    ) -> Sequence[Place]:
        assert query.words == ("x",)
        assert (filters, list(roots)) == (Filters(), ["root"])
        self.asked += 1
        behind = [place for place in self._places if after is None or place.sort_key > after.sort_key]
        return behind[:limit]

    async def some(self, node_ids: Sequence[str]) -> Sequence[Node]:
        return [self._nodes[each] for each in node_ids if each in self._nodes]

    async def paths(self, nodes: Sequence[Node]) -> Mapping[str, tuple[Node, ...]]:
        return {node.node_id: (SPACE, node) for node in nodes}

    async def roots(self, grantees: Sequence[Grantee]) -> AsyncIterator[tuple[str, str]]:
        assert Grantee(GranteeKind.PERSON, "p2") in grantees
        yield "e1", "root"

    def groups_of(self, _: str) -> Sequence[str]:
        return ()

    async def find_texts(self, _: Sequence[str]) -> Mapping[str, Any]:
        return {}

    def search(self, *, ready: bool = True) -> Search:
        world = cast("Any", self)
        texts = type("Texts", (), {"find": lambda _, refs: self.find_texts(refs)})()
        return Search(world, world, world, cast("Any", texts), world, world, SnowballStemmer(), lambda: ready)


async def pages(world: World, size: int) -> list[list[str]]:
    found: list[list[str]] = []
    after = None
    while True:
        page = await world.search()(GUEST, Query(words=("x",)), Filters(), after, size)
        found.append([one.node.node_id for one in page.found])
        after = page.after
        if after is None:
            return found


@pytest.mark.parametrize("size", [1, 3, 10, 100])
async def test_each_readable_file_comes_once_and_pages_are_full_but_the_last(size: int):
    readable = {0, 1, 7, 30, 31, 32, 99, 150, 299}
    found = await pages(World(files(300, readable)), size)
    assert [node_id for page in found for node_id in page] == [f"n{number:05}" for number in sorted(readable)]
    assert all(len(page) == size for page in found[:-1])


async def test_a_call_looks_at_so_many_and_the_next_goes_on():
    """A file that is the caller's lies behind more than a call looks at: nothing is skipped, and no call is long."""
    world = World(files(5_000, {4_990}))
    found = await pages(world, 10)
    assert [node_id for page in found for node_id in page] == ["n04990"]
    assert 3 <= len(found) <= 4
    assert world.asked <= 5_000 // 20 + len(found)


async def test_what_the_index_proposes_and_the_store_no_longer_has_is_not_shown():
    found = await pages(World(files(50, set(range(50))), gone=20), 10)
    assert [len(page) for page in found] == [10, 10, 10, 0] or [len(page) for page in found] == [10, 10, 10]
    assert found[0][0] == "n00020"


async def test_nothing_is_answered_before_the_index_is_whole():
    with pytest.raises(Transient) as refused:
        await World([]).search(ready=False)(GUEST, Query(), Filters(), None, 10)
    assert refused.value.reason == "INDEX_BUILDING"


class References:
    """Content `a` is a file's, `ta` the text out of it; of `b` and its text `tb` nobody has the file any more."""

    def __init__(self) -> None:
        self.forgotten: list[str] = []

    async def referenced(self, blobs: Sequence[str]) -> set[str]:
        return {"a"}.intersection(blobs)

    async def sources(self, text_refs: Sequence[str]) -> Mapping[str, set[str]]:
        return {ref: {ref[1:]} for ref in text_refs if ref.startswith("t")}

    async def forget(self, refs: Sequence[str]) -> None:
        self.forgotten += refs


async def test_a_text_is_referred_to_as_long_as_its_file_is():
    world = References()
    assert await Referred(cast("Any", world), cast("Any", world))(["a", "ta", "b", "tb"]) == {"a", "ta"}
    assert world.forgotten == ["b", "tb"]


def test_what_waits_for_its_text_takes_no_more_room_than_there_is():
    """What had no room is looked for once the rest is done; files of one content wait together."""
    waiting = Awaited(most=2)
    nodes = files(4, set())
    waiting.add([*nodes, nodes[0]])
    assert len(waiting) == 2
    assert [taken[0] for _ in range(2) if (taken := waiting.take())] == ["b0", "b1"]
    assert not waiting.short.is_set()
    assert waiting.take() is None
    assert waiting.short.is_set()
    waiting.short.clear()
    assert waiting.take() is None
    assert not waiting.short.is_set()
