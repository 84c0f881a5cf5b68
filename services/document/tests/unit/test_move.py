"""Folders that move at the same time, in every order of their steps that chance finds, some of them cut off."""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, cast

from document.application.move import MoveNode
from document.domain.deeds import Deed, Move
from document.domain.node import Act, Node, new_folder, new_space
from document.domain.permissions import GranteeKind, Subject
from errors import Conflict, RossioError
from hypothesis import given, settings
from hypothesis import strategies as st

if TYPE_CHECKING:
    from document.application.ports import Nodes

ANA = Subject(GranteeKind.PERSON, "p-ana", "e01")
FOLDERS = 4


class Died(Exception):
    """The process, at some step."""


def act(act_id: str) -> Act:
    return Act(act_id, ANA, datetime(2026, 1, 1, tzinfo=UTC))


@dataclass
class Memory:
    """The ports `Nodes`, as far as a move asks it, and `Moves`; others come between at each step."""

    chance: random.Random
    deaths: float
    nodes: dict[str, Node] = field(default_factory=dict)
    moves: dict[str, Move] = field(default_factory=dict)

    async def step(self) -> None:
        for _ in range(self.chance.randrange(4)):
            await asyncio.sleep(0)
        if self.chance.random() < self.deaths:
            raise Died

    async def path(self, node_id: str) -> tuple[Node, ...]:
        upwards = list[Node]()
        while node_id:
            assert len(upwards) <= FOLDERS, "a circle"
            await self.step()
            upwards.append(self.nodes[node_id])
            node_id = upwards[-1].parent_id
        return tuple(reversed(upwards))

    async def height(self, node_id: str) -> int:
        return 0

    async def change(self, before: Node, after: Node, deed: Deed | None) -> None:
        await self.step()
        if self.nodes[before.node_id].revision != before.revision:
            raise Conflict("it was changed", reason="STALE")
        self.nodes[after.node_id] = after

    async def begin(self, space_id: str, move: Move) -> Move:
        await self.step()
        return self.moves.setdefault(space_id, move)

    async def end(self, space_id: str, move: Move) -> None:
        await self.step()
        if self.moves.get(space_id) == move:
            del self.moves[space_id]


def reachable(nodes: dict[str, Node], top: str) -> set[str]:
    found, waiting = set[str](), [top]
    while waiting:
        parent = waiting.pop()
        found.add(parent)
        waiting += [node.node_id for node in nodes.values() if node.parent_id == parent]
    return found


async def all_move(memory: Memory, wanted: Sequence[tuple[int, int]]) -> list[str]:
    """Everybody moves at once; how each ended."""
    top = new_space(act("top"), "top", personal=False)
    memory.nodes = {"top": top} | {f"f{n}": new_folder(act(f"f{n}"), top, 1, f"f{n}") for n in range(FOLDERS)}
    move = MoveNode(cast("Nodes", memory), memory)

    async def one(number: int, folder: int, to: int) -> str:
        parent_id = "top" if to == FOLDERS else f"f{to}"
        try:
            return (await move(act(f"a{number}"), f"f{folder}", parent_id, "")).parent_id
        except (RossioError, Died) as error:
            return type(error).__name__

    return await asyncio.gather(*(one(number, *each) for number, each in enumerate(wanted)))


WANTED = st.lists(st.tuples(st.integers(0, FOLDERS - 1), st.integers(0, FOLDERS)), min_size=2, max_size=8)


@settings(max_examples=200, deadline=None)
@given(WANTED, st.integers(0, 1 << 32), st.sampled_from([0.0, 0.02, 0.1]))
def test_nothing_is_lost_to_the_tree_whatever_comes_between(wanted: list[tuple[int, int]], seed: int, deaths: float):
    memory = Memory(random.Random(seed), deaths)
    ends = asyncio.run(all_move(memory, wanted))
    assert reachable(memory.nodes, "top") == set(memory.nodes)
    if not deaths:
        assert set(ends) <= {"top", *memory.nodes, "Invalid"}, "each is moved, or would have lain in itself"
        assert not memory.moves


class Late(Memory):
    """Somebody learnt of a move before it was refused, and goes on with it only now."""

    known: Move | None = None

    async def begin(self, space_id: str, move: Move) -> Move:
        known, self.known = self.known, None
        return known or await super().begin(space_id, move)


def test_a_move_that_was_refused_is_not_done_later_by_who_was_on_the_way():
    memory = Late(random.Random(0), 0.0)
    top = new_space(act("top"), "top", personal=False)
    memory.nodes = {"top": top} | {f"f{n}": new_folder(act(f"f{n}"), top, 1, f"f{n}") for n in range(FOLDERS)}
    memory.nodes["f1"] = replace(memory.nodes["f1"], parent_id="f0")
    move = MoveNode(cast("Nodes", memory), memory)
    refused = Move(act("a0"), "f0", memory.nodes["f0"].revision, "f1", "")

    async def go() -> None:
        memory.moves["top"] = refused  # as whoever wrote it down and died left it
        await move(act("a1"), "f2", "f3", "")
        assert memory.nodes["f0"].parent_id == "top", "it would have lain in itself"
        await move(act("a2"), "f1", "top", "")
        memory.known = refused
        await move(act("a3"), "f3", "f1", "")

    asyncio.run(go())
    assert {node_id: node.parent_id for node_id, node in memory.nodes.items()} == {
        "top": "", "f0": "top", "f1": "top", "f2": "f3", "f3": "f1"
    }  # fmt: skip
