"""What decisions and the tree cost in document, and how that grows with the number of files in the store.

Decisions are taken by the evaluator with the view of the directory, and by Cedar from the same grants.
The tree is in the embedded store; nothing but use cases and store is measured, without gRPC and relay.
"""

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import cedarpy
import messaging
import store
from devstack.mongo import Mongo
from directory_view import View
from document.adapters.directory import DirectoryOfView
from document.adapters.moves import MoveStore
from document.adapters.store import INDEXES
from document.adapters.usage import MeteredNodes, UsageStore
from document.application.access import open_node
from document.application.list_folder import list_folder
from document.application.meter import Meter
from document.application.move import MoveNode
from document.domain.content import Stored
from document.domain.node import Act, Node, new_file, new_folder, new_space
from document.domain.permissions import Grant, Grantee, GranteeKind, Role, Subject, decide
from document.domain.quota import UNLIMITED
from rossio.directory.v1 import directory_pb2
from rossio.directory.v1.events_pb2 import GroupChanged, PersonChanged

AT: Final = datetime(2026, 1, 1, tzinfo=UTC)
DEEP: Final = 10
SIZES: Final = (1_000, 10_000, 100_000)
_FOLDER: Final = 1_000
_PART: Final = 10_000
_DECISIONS: Final = 20_000
_ROUNDS: Final = 16
"""An even number: what is moved there and back ends where it was."""


def measure() -> list[dict[str, Any]]:
    return [*_decisions(), *asyncio.run(_tree())]


def _row(metric: str, ours: float, peer: float | None, unit: str, aim: str, note: str) -> dict[str, Any]:
    ratio = ours / peer if peer else None
    return {"metric": metric, "ours": ours, "peer": peer, "ratio": ratio, "unit": unit, "aim": aim, "note": note}


# Decisions


def _decisions() -> list[dict[str, Any]]:
    subject = _directory().subject(Grantee(GranteeKind.PERSON, "p1"), "e1")
    rows = []
    for grants, name in ((12, "12 grants"), (120, "120 grants")):
        path = _deep_path(grants)
        assert decide(subject, path).role is Role.EDITOR
        began = time.process_time()
        for _ in range(_DECISIONS):
            decide(subject, path)
        ours = (time.process_time() - began) / _DECISIONS * 1e6
        rows.append(
            _row(
                f"decision, warm, {DEEP} deep, {name}",
                ours,
                _cedar(path),
                "us CPU",
                "<= 10" if grants == 12 else "",
                "with the reasons; peer: Cedar, entities and policies as text",
            )
        )
    return rows


def _directory() -> DirectoryOfView:
    """A person in one of a hundred groups of a thousand."""
    view = View()
    for number in range(1, 1001):
        person = directory_pb2.Person(
            person_id=f"p{number}", number=number, entity_id="e1", state=directory_pb2.PERSON_STATE_ACTIVE, version=1
        )
        view.apply([PersonChanged(person=person)])
    for number in range(100):
        members = [directory_pb2.Member(person_id=f"p{each}") for each in range(1 if number == 99 else 2, 1001)]
        group = directory_pb2.Group(group_id=f"g{number}", entity_id="e1", members=members, version=1)
        view.apply([GroupChanged(group=group)])
    return DirectoryOfView(view)


def _deep_path(grants: int) -> list[Node]:
    """Grants to groups, people and entities, of which two are for the caller."""
    act = Act("a", Subject(GranteeKind.PERSON, "p0", "e1"), AT)
    path = [replace(new_space(act, "space", personal=False), grants=())]
    for depth in range(1, DEEP):
        path.append(new_folder(replace(act, act_id=f"a{depth}"), path[-1], depth, f"f{depth}"))
    kinds = (GranteeKind.GROUP, GranteeKind.PERSON, GranteeKind.GROUP, GranteeKind.ENTITY)
    others = [Grantee(kinds[each % 4], f"{kinds[each % 4][0]}{each % 90 + 2}") for each in range(grants - 2)]
    mine = [Grantee(GranteeKind.GROUP, "g99"), Grantee(GranteeKind.ENTITY, "e1")]
    for number, grantee in enumerate([*others, *mine]):
        role = Role.EDITOR if number == grants - 2 else Role.READER
        at = number % DEEP
        grant = Grant(f"r{number}", grantee, role, "p0", AT)
        path[at] = replace(path[at], grants=(*path[at].grants, grant))
    return path


def _cedar(path: Sequence[Node]) -> float:
    """Microseconds of CPU for the same decision; one action, where ours finds the role."""
    policies = "\n".join(
        f'permit(principal in {grant.grantee.kind.title()}::"{grant.grantee.id}", '
        f'action in [Action::"{grant.role.name}"], resource in Node::"{node.node_id}");'
        for node in path
        for grant in node.grants
    )
    parents = [{"type": "Group", "id": "g99"}, {"type": "Entity", "id": "e1"}]
    entities: list[dict[str, Any]] = [{"uid": {"type": "Person", "id": "p1"}, "attrs": {}, "parents": parents}]
    entities += (
        {
            "uid": {"type": "Node", "id": node.node_id},
            "attrs": {},
            "parents": [{"type": "Node", "id": node.parent_id}] if node.parent_id else [],
        }
        for node in path
    )
    request = {
        "principal": 'Person::"p1"',
        "action": 'Action::"EDITOR"',
        "resource": f'Node::"{path[-1].node_id}"',
        "context": {},
    }
    assert cedarpy.is_authorized(request, policies, entities).allowed
    rounds = _DECISIONS // 200
    began = time.process_time()
    for _ in range(rounds):
        cedarpy.is_authorized(request, policies, entities)
    return (time.process_time() - began) / rounds * 1e6


# The tree

Measured = tuple[float, float]
"""Milliseconds by wall (the median) and of our CPU (the mean), of one operation."""


async def _tree() -> list[dict[str, Any]]:
    subject = Subject(GranteeKind.PERSON, "p1", "e1")
    found = dict[str, dict[int, Measured]]()
    async with _nodes() as (nodes, moves):
        tree = _Tree(nodes, Act("tree", subject, AT))
        await tree.begin()
        for size in SIZES:
            await tree.grow(size)
            for metric, measured in (await _operations(nodes, moves, tree, subject, size)).items():
                found.setdefault(metric, {})[size] = measured
    return [
        _row(
            f"{metric}, {size:,} files",
            wall,
            sizes[min(sizes)][0],
            "ms wall",
            "",
            f"{cpu:.2f} ms CPU here; peer: the same with {min(sizes):,} files",
        )
        for metric, sizes in found.items()
        for size, (wall, cpu) in sizes.items()
    ]


async def _operations(
    nodes: MeteredNodes, moves: MoveStore, tree: "_Tree", subject: Subject, size: int
) -> dict[str, Measured]:
    move, count = MoveNode(nodes, moves), 0

    async def there_and_back(node_id: str, places: Sequence[str]) -> None:
        nonlocal count
        count += 1
        await move(replace(tree.act, act_id=messaging.new_id()), node_id, places[count % 2], "")

    measured = {
        f"check {DEEP} deep, from the store": await _timed(lambda: open_node(nodes, subject, tree.deep)),
        f"list a folder of {_FOLDER:,}": await _timed(lambda: list_folder(nodes, subject, tree.listed, None, _FOLDER)),
        "move a tree with all files": await _timed(lambda: there_and_back(tree.big, tree.homes)),
    }
    if size >= _PART:
        places = (tree.big, tree.homes[0])
        measured[f"move a tree of {_PART:,}"] = await _timed(lambda: there_and_back(tree.part, places))
    return measured


async def _timed(operation: Callable[[], Awaitable[Any]]) -> Measured:
    walls = []
    cpu = time.process_time()
    for _ in range(_ROUNDS):
        began = time.perf_counter()
        await operation()
        walls.append(time.perf_counter() - began)
    return sorted(walls)[_ROUNDS // 2] * 1e3, (time.process_time() - cpu) / _ROUNDS * 1e3


class _Tree:
    """A space with a tree `big` that holds all files, in folders of a thousand, and a node ten folders deep.

    The first ten of those folders lie in a tree of their own in it, `part`.
    """

    def __init__(self, nodes: MeteredNodes, act: Act) -> None:
        self._nodes = nodes
        self._files = 0
        self.act = act
        self.top = new_space(act, "space", personal=False)
        self.homes = ("home0", "home1")
        self.big = "big"
        self.part = "part"
        self.listed = "folder0"
        self.deep = f"deep{DEEP - 1}"

    async def begin(self) -> None:
        made = [self.top, *(self._folder(home, self.top, 1) for home in self.homes)]
        made.append(self._folder(self.big, made[1], 2))
        above = made[-1]
        for depth in range(3, DEEP):
            above = self._folder(f"deep{depth}", above, depth)
            made.append(above)
        self._big = made[3]
        self._part = self._folder(self.part, self._big, 3)
        made.append(self._part)
        await self._nodes.add_all(made, None)

    async def grow(self, size: int) -> None:
        """Adds files until there are so many."""
        while self._files < size:
            above = self._part if self._files < _PART else self._big
            folder = self._folder(f"folder{self._files // _FOLDER}", above, 4)
            files = [
                new_file(replace(self.act, act_id=messaging.new_id()), folder, 5, f"file {number}.txt", _EMPTY)
                for number in range(_FOLDER)
            ]
            await self._nodes.add_all([folder, *files], None)
            self._files += _FOLDER

    def _folder(self, node_id: str, parent: Node, depth: int) -> Node:
        return new_folder(replace(self.act, act_id=node_id), parent, depth, node_id)


_EMPTY: Final = Stored(0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "text/plain", "blob")


@asynccontextmanager
async def _nodes() -> AsyncIterator[tuple[MeteredNodes, MoveStore]]:
    with tempfile.TemporaryDirectory() as folder:
        server = Mongo(Path(folder))
        server.start()
        database = store.connect(server.uri, "bench")
        try:
            documents = database.collection("nodes")
            await database.ensure(documents, INDEXES)
            usages = UsageStore(database.collection("usages"), documents, {"space": UNLIMITED, "entity": UNLIMITED})
            meter = Meter(usages, lambda: AT)
            yield (
                MeteredNodes(documents, meter, messaging.new_id, lambda: datetime.now(UTC)),
                MoveStore(database.collection("moves")),
            )
        finally:
            await database.close()
            server.kill()
