"""Who may read which chain, and what they can prove with it."""

from collections.abc import Sequence
from typing import Any

import grpc
import pytest
import store
from errors import Invalid
from rossio.governance.v1.service_pb2 import ListAuditRecordsRequest, ListChainsRequest
from testkit.polling import until


async def test_records_stand_in_the_chain_of_their_entity_as_they_came(
    start_service: Any, publish: Any, audit: Any, auditor: Any, entities: Sequence[str]
):
    governance = start_service("governance")
    mine, other = entities[:2]
    records = [audit(mine), audit(other), audit(mine, details={"k": "ção"}), audit(mine)]
    await publish(records)
    reader = auditor(governance, "governance.auditor", mine)

    async def arrived() -> bool:
        return len((await reader.chain(mine))[0]) == 3

    await until(arrived)
    page = await anext(aiter(reader.stub.ListAuditRecords(ListAuditRecordsRequest(entity_id=mine))))
    assert [record.record for record in page.records] == [r.payload for r in records if r.key == mine.encode()]
    rest = await anext(aiter(reader.stub.ListAuditRecords(ListAuditRecordsRequest(entity_id=mine, after_sequence=2))))
    assert [record.sequence for record in rest.records] == [3]


async def test_a_foreign_chain_is_not_there_and_the_role_is_asked_for(
    start_service: Any, publish: Any, audit: Any, auditor: Any, entities: Sequence[str]
):
    governance = start_service("governance")
    await publish([audit(entity) for entity in entities])
    ministry = auditor(governance)

    async def arrived() -> bool:
        return {chain.entity_id for chain in await chains(ministry)} >= set(entities)

    await until(arrived)
    own = auditor(governance, "governance.auditor", entities[0])
    assert [chain.entity_id for chain in await chains(own)] == [entities[0]]
    for foreign in (entities[1], "no-such-entity", ""):
        with pytest.raises(grpc.aio.AioRpcError) as refusal:
            await own.chain(foreign)
        assert refusal.value.code() is grpc.StatusCode.NOT_FOUND
    for nobody in (auditor(governance, "", entities[0]), auditor(governance, "news.editor", entities[0])):
        for call in (nobody.chain(entities[0]), chains(nobody)):
            with pytest.raises(grpc.aio.AioRpcError) as refusal:
                await call
            assert refusal.value.code() is grpc.StatusCode.PERMISSION_DENIED


async def chains(reader: Any) -> list[Any]:
    """All chains, in pages of two."""
    found, token = [], ""
    while True:
        page = await reader.stub.ListChains(ListChainsRequest(page_size=2, page_token=token))
        assert len(page.chains) <= 2
        found += page.chains
        token = page.next_page_token
        if not token:
            return found


async def test_what_is_changed_in_the_database_is_found_by_the_client(
    start_service: Any, publish: Any, audit: Any, auditor: Any, entities: Sequence[str], mongo: str, database_name: str
):
    governance = start_service("governance")
    entity = entities[0]
    records = [audit(entity) for _ in range(5)]
    await publish(records)
    reader = auditor(governance)

    async def arrived() -> bool:
        return len((await reader.chain(entity))[0]) == 5

    await until(arrived)
    database = store.connect(mongo, f"{database_name}_governance")
    forged = audit(entity, records[2].id, actor="somebody else")
    await database.collection("records").update(records[2].id, {"$set": {"record": forged.payload}})
    await database.close()
    with pytest.raises(Invalid) as broken:
        await reader.chain(entity)
    assert broken.value.details == {"sequence": "3"}
