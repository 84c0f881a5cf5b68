# ruff: noqa: ARG002, N802 - the contract names the methods and their parameters
"""rossio.directory.v1.DirectoryService."""

from collections import defaultdict
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Final

import rpc
import service
import telemetry
from errors import Exhausted, Invalid
from messaging import new_id
from rossio.directory.v1 import service_pb2 as pb
from rossio.directory.v1 import service_pb2_grpc

from directory.adapters import wire
from directory.application.get_group import GetGroup
from directory.application.get_person import GetPerson
from directory.application.import_csv import ImportCsv
from directory.application.list_entities import ListEntities
from directory.application.list_people import ListPeople
from directory.application.put_group import PutGroup
from directory.application.put_person import PutPerson
from directory.application.who_am_i import WhoAmI
from directory.domain.plan import Options, Plan
from directory.domain.tables import TABLES

SERVICE: Final = "rossio.directory.v1.DirectoryService"
_LARGEST_IMPORT: Final = 256 * 2**20
_MOST_ERRORS: Final = 1000
_imported: Final = {kind: telemetry.names.IMPORTED.bind(outcome=kind) for kind in ("added", "changed", "left", "same")}


@dataclass(frozen=True, slots=True)
class UseCases:
    who_am_i: WhoAmI
    list_entities: ListEntities
    get_person: GetPerson
    list_people: ListPeople
    put_person: PutPerson
    get_group: GetGroup
    put_group: PutGroup
    import_csv: ImportCsv


class DirectoryApi(service_pb2_grpc.DirectoryServiceServicer):
    def __init__(self, use_cases: UseCases) -> None:
        self._use = use_cases

    async def WhoAmI(self, request: pb.WhoAmIRequest, context: Any) -> pb.WhoAmIResponse:
        person, entity = await self._use.who_am_i(rpc.caller())
        return pb.WhoAmIResponse(person=wire.to_person(person), entity=wire.to_entity(entity))

    async def ListEntities(self, request: pb.ListEntitiesRequest, context: Any) -> pb.ListEntitiesResponse:
        after, *_ = rpc.read_page_token(request) or ("",)
        entities, rest = await self._use.list_entities(str(after), rpc.page_size(request))
        token = rpc.page_token(request, rest) if rest else ""
        return pb.ListEntitiesResponse(entities=map(wire.to_entity, entities), next_page_token=token)

    async def GetPerson(self, request: pb.GetPersonRequest, context: Any) -> pb.GetPersonResponse:
        return pb.GetPersonResponse(person=wire.to_person(await self._use.get_person(request.name)))

    async def ListPeople(self, request: pb.ListPeopleRequest, context: Any) -> pb.ListPeopleResponse:
        after, *_ = rpc.read_page_token(request) or ("",)
        people, rest = await self._use.list_people(request.entity_id, str(after), rpc.page_size(request))
        token = rpc.page_token(request, rest) if rest else ""
        return pb.ListPeopleResponse(people=map(wire.to_person, people), next_page_token=token)

    async def PutPerson(self, request: pb.PutPersonRequest, context: Any) -> pb.PutPersonResponse:
        person = await self._use.put_person(
            rpc.caller(), wire.from_person(request.person), request=rpc.derived_id(), at=service.now()
        )
        return pb.PutPersonResponse(person=wire.to_person(person))

    async def GetGroup(self, request: pb.GetGroupRequest, context: Any) -> pb.GetGroupResponse:
        return pb.GetGroupResponse(group=wire.to_group(await self._use.get_group(request.name)))

    async def PutGroup(self, request: pb.PutGroupRequest, context: Any) -> pb.PutGroupResponse:
        group = await self._use.put_group(
            rpc.caller(), wire.from_group(request.group), request=rpc.derived_id(), at=service.now()
        )
        return pb.PutGroupResponse(group=wire.to_group(group))

    async def Import(self, request_iterator: AsyncIterator[pb.ImportRequest], context: Any) -> pb.ImportResponse:
        options, files = await _received(request_iterator)
        plan = await self._use.import_csv(
            rpc.caller(),
            files,
            Options(full=options.full, max_leave_ratio=options.max_leave_ratio),
            dry_run=options.dry_run,
            import_id=new_id(),
            at=service.now(),
        )
        applied = not plan.errors and not options.dry_run
        if applied:
            for difference in plan.differences.values():
                for kind, count in difference.items():
                    _imported[kind].inc(count)
        return _report(plan, applied=applied)


async def _received(parts: AsyncIterator[pb.ImportRequest]) -> tuple[pb.ImportOptions, dict[str, bytes]]:
    """The options, which come first, and the files whole.

    Raises:
        Invalid: the parts are not what they should be.
        Exhausted: they are more than 256 MiB.
    """
    first = await anext(parts, None)
    if first is None or first.WhichOneof("part") != "options":
        raise Invalid("the first message carries the options", reason="OPTIONS_MISSING")
    if not 0 <= first.options.max_leave_ratio <= 1:
        raise rpc.invalid_fields({"options.max_leave_ratio": "is not between 0 and 1"})
    files: defaultdict[str, bytearray] = defaultdict(bytearray)
    size = 0
    async for part in parts:
        if part.WhichOneof("part") != "chunk":
            raise Invalid("after the first message come chunks", reason="CHUNK_MISSING")
        if part.chunk.table not in TABLES:
            raise rpc.invalid_fields({"chunk.table": f"is none of {', '.join(TABLES)}"})
        size += len(part.chunk.data)
        if size > _LARGEST_IMPORT:
            raise Exhausted("an import has at most 256 MiB", reason="IMPORT_TOO_LARGE")
        files[part.chunk.table] += part.chunk.data
    if not files:
        raise Invalid("no table came", reason="CHUNK_MISSING")
    return first.options, {table: bytes(data) for table, data in files.items()}


def _report(plan: Plan, *, applied: bool) -> pb.ImportResponse:
    diffs = [
        pb.TableDiff(table=table, added=rows["added"], changed=rows["changed"], left=rows["left"], same=rows["same"])
        for table, rows in plan.differences.items()
    ]
    errors = [
        pb.RowError(table=error.table, line=error.line, column=error.column, message=error.message)
        for error in plan.errors[:_MOST_ERRORS]
    ]
    if (more := len(plan.errors) - len(errors)) > 0:
        errors.append(pb.RowError(table=plan.errors[-1].table, message=f"there are {more} more errors"))
    return pb.ImportResponse(diffs=diffs, errors=errors, applied=applied)
