"""How one record is put: what both a person and a group go through."""

from collections.abc import Iterator
from dataclasses import replace

import rpc
import telemetry
from errors import Conflict, NotAllowed, NotFound

from directory.application.ports import Deed, Records
from directory.domain import relations, shapes
from directory.domain.plan import Change
from directory.domain.records import Directory, Group, Person
from directory.domain.rights import Rights

_ATTEMPTS = 5


def rights(caller: rpc.Caller) -> Rights:
    return Rights(caller.entity_id, of_ministry=caller.may_act_for(""))


async def put_record(records: Records, record: Person | Group, deed: Deed) -> Person | Group:
    """Creates the record (version 0) or puts it in the place of the version that it names; returns what is kept.

    The same request again returns what it made, and a record that says nothing new is not written.

    Raises:
        Invalid: names each field that cannot be.
        NotAllowed: it is another entity's to decide.
        NotFound: it has a version, and is not kept.
        Conflict: it has changed meanwhile (STALE), or one of its addresses is taken (ALREADY_EXISTS).
    """
    _must_fit(record, shapes.problems(record))
    for _ in range(_ATTEMPTS):
        keys, names = relations.asked(record)
        around = await records.some({record.key, *keys}, record.claims | names)
        kept = _kept(around, record)
        _must_be_allowed(rights(deed.by), record, kept)
        if (kept.version if kept else 0) != record.version:
            if kept is not None and await records.made_by(kept, deed.request):
                return kept
            raise _stale(record, known=kept is not None)
        wanted = record
        if isinstance(record, Person) and isinstance(kept, Person):
            wanted = replace(record, number=kept.number)
        if kept is not None and wanted == kept:
            return kept
        around.put(wanted)
        _must_fit(wanted, relations.problems(wanted, around))
        _must_be_free(wanted, around)
        if isinstance(wanted, Person) and kept is None:
            wanted = replace(wanted, number=await records.reserve_numbers(1))
            telemetry.points.reached("directory.put.numbered")
        try:
            await records.put(Change(wanted, kept), deed)
        except Conflict:
            continue  # somebody was first: what is kept now decides
        return replace(wanted, version=wanted.version + 1)
    raise Conflict("the directory changes too fast; repeat the request", reason="BUSY")


def _kept(directory: Directory, record: Person | Group) -> Person | Group | None:
    if isinstance(record, Person):
        return directory.people.get(record.person_id)
    return directory.groups.get(record.group_id)


def _stale(record: Person | Group, *, known: bool) -> Conflict | NotFound:
    if known and record.version == 0:
        return Conflict("there is one with this id", reason="ALREADY_EXISTS")
    if known:
        return Conflict("it has changed meanwhile; read it again", reason="STALE")
    return NotFound("there is none with this id", reason="RECORD_NOT_FOUND")


def _must_be_allowed(by: Rights, record: Person | Group, kept: Person | Group | None) -> None:
    for _, message in by.problems(record, kept):
        raise NotAllowed(f"it {message}" if message.startswith("is ") else message, reason="OTHER_ENTITY")


def _must_fit(record: Person | Group, problems: Iterator[shapes.Problem]) -> None:
    kind = record.key.partition("/")[0]
    found = {f"{kind}.{column}": message for column, message in problems}
    if found:
        raise rpc.invalid_fields(found)


def _must_be_free(record: Person | Group, around: Directory) -> None:
    for other in around.records():
        if other.key != record.key and record.claims & other.claims:
            raise Conflict(
                "an address is taken", reason="ALREADY_EXISTS", addresses=" ".join(record.claims & other.claims)
            )
