"""Imports over gRPC: all or nothing, again without effect, through SIGKILL to the same end, and seen by views."""

import asyncio
import csv
import io
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

import grpc
import pytest
from devstack.services import ServiceProgram
from directory.adapters import wire
from directory.adapters.store import _document, _record
from directory.domain.plan import Options, plan
from directory.domain.records import Directory, Entity, Group, Person, Record, Unit
from directory.domain.rights import Rights
from directory_view import View

Files = Mapping[str, bytes]
Row = dict[str, str]


def edited(data: bytes, change: Callable[[list[Row]], list[Row]]) -> bytes:
    """A CSV file after a change of its rows."""
    rows = change(list(csv.DictReader(io.StringIO(data.decode()))))
    target = io.StringIO()
    writer = csv.DictWriter(target, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return target.getvalue().encode()


def a_year_later(csvs: Files) -> Files:
    """Everybody has another mobile and every unit another name; some come, go, swap addresses; a domain moves."""

    def entities(rows: list[Row]) -> list[Row]:
        domains = rows[-1]["domains"].split()
        rows[-1]["domains"], rows[0]["domains"] = domains[0], f"{rows[0]['domains']} {domains[1]}"
        return rows

    def people(rows: list[Row]) -> list[Row]:
        for number, row in enumerate(rows):
            row["mobile"] = f"+35190{number:07}"
            if row["entity_id"] == "e62":
                row["addresses"] = row["addresses"].split()[0]
        ana, rui, *others = rows
        ana["addresses"], rui["addresses"] = rui["addresses"], ana["addresses"]
        gone = [row for row in others if row["roles"] == ""][:10]
        rows = [row for row in rows if row not in gone]
        # Newcomers take over the addresses of those who went.
        return rows + [{**row, "person_id": f"n{row['person_id']}", "given_name": "Nova"} for row in gone]

    def units(rows: list[Row]) -> list[Row]:
        return [{**row, "name": f"{row['name']} (novo)"} for row in rows]

    def groups(rows: list[Row]) -> list[Row]:
        return [{**row, "removed": "yes" if row["group_id"] == "g-legado" else ""} for row in rows]

    changes = {"entities": entities, "units": units, "people": people, "groups": groups}
    return {table: edited(data, changes[table]) for table, data in csvs.items()}


def imported(kept: Directory, files: Files, *, full: bool = False) -> Directory:
    """What the directory must hold after the import: computed at once, by nobody who can be killed."""
    thought = plan(kept, files, Rights("", of_ministry=True), Options(full=full))
    assert thought.errors == []
    after = kept.copy()
    number = max([person.number for person in kept.people.values()], default=0)
    for change in thought.changes:
        record: Record = replace(change.record, version=change.record.version + 1)
        if isinstance(record, Person) and record.number == 0:
            number += 1
            record = replace(record, number=number)
        after.put(record)
    return after


def stored(directory: Directory) -> dict[str, Any]:
    """The documents that hold it."""
    return {record.key: {**_document(record), "body": _listed(record)} for record in directory.records()}


def _listed(record: Record) -> dict[str, Any]:
    body = _document(record)["body"]
    return {name: list(value) if isinstance(value, tuple) else value for name, value in body.items()}


def sees(documents: dict[str, Any]) -> Callable[[View], bool]:
    """Whether a view holds just this."""
    records = [_record(document) for document in documents.values()]

    def holds(view: View) -> bool:
        active = [record for record in records if isinstance(record, Person) and record.active]
        return view.people_count == len(active) and all(_seen(view, record) for record in records)

    return holds


def _seen(view: View, record: Record) -> bool:
    match record:
        case Entity():
            found = view.entity(record.entity_id)
            return found == wire.to_entity(record)
        case Unit():
            return view.unit(record.unit_id) == wire._to_unit(record)
        case Person():
            return view.person(record.person_id) == wire.to_person(record)
        case Group():
            return view.group(record.group_id) == (None if record.removed else wire.to_group(record))


def counts(response: Any) -> dict[str, tuple[int, int, int, int]]:
    return {diff.table: (diff.added, diff.changed, diff.left, diff.same) for diff in response.diffs}


async def test_an_import_is_seen_by_views_and_done_again_writes_nothing(
    directory: ServiceProgram, keeper: Any, documents: Any, streams: Any, csvs: Files
) -> None:
    directory.start()
    dry = await keeper().import_(csvs, dry_run=True)
    assert not dry.applied
    assert counts(dry)["people"] == (300, 0, 0, 0)
    assert await documents() == {}
    first = await keeper().import_(csvs)
    assert first.applied
    assert counts(first) == counts(dry)
    now = await documents()
    assert now == stored(imported(Directory(), csvs))
    view = await streams.view(sees(now))
    assert len(view.members("g-direcoes")) == 62 * 3
    again = await keeper().import_(csvs, full=True)
    assert again.applied
    assert counts(again)["people"] == (0, 0, 0, 300)
    assert await documents() == now
    audits = await streams.audits(lambda found: len(found) >= 62)
    assert {(audit.action, audit.entity_id) for audit in audits} == {
        ("directory.entity.import", entity.entity_id) for entity in view.entities()
    }
    assert sum(int(audit.details["added"]) for audit in audits) == len(now)


async def test_bad_rows_are_reported_by_line_and_nothing_is_changed(
    directory: ServiceProgram, keeper: Any, documents: Any, csvs: Files
) -> None:
    directory.start()
    await keeper().import_(csvs)
    before = await documents()

    def spoil(rows: list[Row]) -> list[Row]:
        for row in rows:
            row["mobile"] = "+351901112223"
        rows[4]["profession"] = "plumber"
        rows[1]["addresses"] = rows[0]["addresses"]
        rows[99]["unit_id"] = "u-nowhere"
        return rows

    report = await keeper().import_({**csvs, "people": edited(csvs["people"], spoil)})
    assert not report.applied
    assert [(error.table, error.line, error.column) for error in report.errors] == [
        *[("people", 3, "addresses")] * 2,
        ("people", 6, "profession"),
        ("people", 101, "unit_id"),
    ]
    stopped = await keeper().import_({"people": csvs["people"][: len(csvs["people"]) // 2]}, full=True)
    assert not stopped.applied
    assert await documents() == before


async def test_an_entity_imports_its_own_people_only(directory: ServiceProgram, keeper: Any, csvs: Files) -> None:
    directory.start()
    await keeper().import_(csvs)
    own = keeper("e01", "directory.admin")

    def only(entity_id: str) -> bytes:
        return edited(csvs["people"], lambda rows: [r | {"mobile": ""} for r in rows if r["entity_id"] == entity_id])

    refused = await own.import_({"people": only("e02")})
    assert {error.column for error in refused.errors} == {"entity_id"}
    assert (await own.import_({"people": only("e01")})).applied
    assert (await own.person("p000001")).mobile == ""


async def test_what_is_no_import_is_refused(directory: ServiceProgram, keeper: Any, csvs: Files) -> None:
    directory.start()
    for files, options in (
        ({}, {}),
        ({"robots": b"robot_id\n"}, {}),
        (csvs, {"max_leave_ratio": 1.5}),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await keeper().import_(files, **options)
        assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT


_FIRST = ("begun", "numbered", "released", "chunk", "chunk:2")
_SECOND = ("begun", "numbered", "released", "chunk")


@pytest.mark.slow
async def test_killed_between_any_two_effects_and_done_again_it_ends_as_if_it_never_was(
    directory: ServiceProgram, keeper: Any, documents: Any, streams: Any, csvs: Files
) -> None:
    """An import into nothing, and one that changes nearly everything, each killed at every point in turn."""
    later = a_year_later(csvs)
    first = imported(Directory(), csvs)
    second = imported(first, later, full=True)
    for points, files, full, end in ((_FIRST, csvs, False, first), (_SECOND, later, True, second)):
        for point in [f"directory.import.{point}" for point in points] + ["messaging.relay.published"]:
            directory.settings["ROSSIO_KILL_AT"] = point
            directory.launch()
            await until_killed(directory, keeper(), files, full=full)
        directory.restart(ROSSIO_KILL_AT="")
        assert (await keeper().import_(files, full=full)).applied
        now = await documents()
        assert now == stored(end)
        await streams.view(sees(now))
        directory.kill()


async def until_killed(program: ServiceProgram, keeper: Any, files: Files, *, full: bool) -> None:
    """Imports as soon as somebody answers, until the program has killed itself."""
    async with asyncio.timeout(120):
        while program.exit_code is None:
            with suppress(grpc.aio.AioRpcError):
                await keeper.import_(files, full=full)
            await asyncio.sleep(0.1)
    assert program.exit_code == -9, program.output()
