"""What the view of the whole ministry costs: rebuilding it, holding it, expanding lists, looking up."""

import gc
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from directory_view import View
from rossio.directory.v1.directory_pb2 import Group, Person
from rossio.directory.v1.events_pb2 import GroupChanged, PersonChanged
from testkit import ministry

_T = TypeVar("_T")
_MEGABYTE = 2**20
_PAGE = 4096


def measure(people: int = ministry.FULL_SIZE) -> list[dict[str, Any]]:
    """Rows of CPU time and memory; the peers are plain dicts and sets of the same messages."""
    whole = ministry.Ministry(people)
    events = [change.SerializeToString() for change in ministry.changes(whole) if isinstance(change, PersonChanged)]
    others = [change for change in ministry.changes(whole) if not isinstance(change, PersonChanged)]

    def rebuild() -> View:
        view = View()
        view.apply(map(PersonChanged.FromString, events))
        return view

    def parse() -> dict[str, Person]:
        return {person.person_id: person for person in (PersonChanged.FromString(event).person for event in events)}

    view, memory, ours = _costs(rebuild)
    by_id, peer_memory, peer = _costs(parse)
    rows = [
        _row("rebuild", ours, peer, "s CPU", "at most 1.5 s", f"{people} people; peer: a dict of the parsed messages"),
        _row("view memory", memory, peer_memory, "MB", "", "the same"),
    ]
    view.apply(others)
    return [*rows, *_expansions(view, by_id), _groups_of(view), _look_up(view, by_id, list(whole.people()))]


def _groups_of(view: View) -> dict[str, Any]:
    """After a change nothing is expanded: the peer looks into every group."""
    version = 0

    def change() -> None:
        nonlocal version
        version += 1
        view.apply([GroupChanged(group=Group(group_id="g-novo", version=version))])

    def every_group() -> list[str]:
        change()
        return sorted(group_id for group_id in view._groups if number in view.members(group_id))

    def indexed() -> list[str]:
        change()
        return view.groups_of("p000600")

    person = view.person("p000600")
    assert person is not None
    number = person.number
    ours, peer = _each(indexed, 10), _each(every_group, 2)
    assert indexed() == every_group()
    note = f"one person's of {len(view._groups)} groups after a change; peer: looking into each"
    return _row("groups of a person", ours * 1e3, peer * 1e3, "ms CPU", "", note)


def _expansions(view: View, by_id: dict[str, Person]) -> list[dict[str, Any]]:
    groups = {f"g-{entity.entity_id}-todos" for entity in view.entities()}
    sets = {f"g-{p.entity_id}-todos": set[int]() for p in by_id.values()}
    for person in by_id.values():
        sets[f"g-{person.entity_id}-todos"].add(person.number)
    nested = " or ".join(f'group = "{group_id}"' for group_id in sorted(groups))
    view.audience(nested)  # what is expanded once is kept: the union is measured, as it is for the sets
    ours = _each(lambda: view.audience(nested), 50)
    peer = _each(lambda: set[int]().union(*sets.values()), 10)
    assert set(view.audience(nested)) == set[int]().union(*sets.values())
    note = f"the union of {len(groups)} entities' lists; peer: Python sets"
    rows = [_row("expand all staff", ours * 1e6, peer * 1e6, "us CPU", "", note)]
    clinical = 'profession in ("nurse", "doctor") and not group = "g-direcoes"'
    ours = _each(lambda: view.audience(clinical), 50)
    people = list(by_id.values())
    officers = set(view.members("g-direcoes"))

    def ask() -> set[int]:
        wanted = {"nurse", "doctor"}
        return {p.number for p in people if p.profession in wanted and p.number not in officers}

    peer = _each(ask, 3)
    note = "nurses and doctors but the officers; peer: asking person by person"
    return [*rows, _row("audience", ours * 1e6, peer * 1e6, "us CPU", "", note)]


def _look_up(view: View, by_id: dict[str, Person], people: list[ministry.Person]) -> dict[str, Any]:
    addresses = [person.addresses[index % 2] for index, person in enumerate(people[::7])]
    by_address = {address: by_id[person.person_id] for person in people for address in person.addresses}
    ours = _each(lambda: [view.by_address(address) for address in addresses], 3) / len(addresses)
    peer = _each(lambda: [by_address[address] for address in addresses], 3) / len(addresses)
    note = "by address, parsed, the caller's own; peer: a dict"
    return _row("look up", ours * 1e6, peer * 1e6, "us CPU", "", note)


def _costs(build: Callable[[], _T]) -> tuple[_T, float, float]:
    """What is built, the MB that it holds and the best CPU seconds of three."""
    seconds = _each(build, 3)
    gc.collect()
    before = _resident()
    built = build()
    gc.collect()
    return built, (_resident() - before) / _MEGABYTE, seconds


def _each(work: Callable[[], object], times: int) -> float:
    best = float("inf")
    for _ in range(times):
        start = time.process_time()
        work()
        best = min(best, time.process_time() - start)
    return best


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE


def _row(metric: str, ours: float, peer: float, unit: str, aim: str, note: str) -> dict[str, Any]:
    return {"metric": metric, "ours": ours, "peer": peer, "ratio": ours / peer, "unit": unit, "aim": aim, "note": note}
