"""`rossio audit`: verify the chains of audit records, and read them."""

from typing import Annotated

import typer
from errors import Invalid
from rossio.governance.v1 import audit_pb2, service_pb2

from cli.audit_chain import ChainVerifier
from cli.client import Client, connect, pages
from cli.command import As, line, note, sync, table

app = typer.Typer(no_args_is_help=True, help="Verify and read the audit records.")


@app.command("verify")
@sync
async def verify_(caller: As = None) -> None:
    """Fetches every chain that the caller may read and computes its hashes anew."""
    async with connect(caller) as client:
        held = [(chain, await verified(client, chain)) for chain in await chains(client)]
    table(
        ("entity", "records", "hash of the last"),
        ((chain.entity_id or "(none)", records, chain.hash.hex()[:16]) for chain, records in held),
    )
    note(f"{len(held)} chain(s), every hash computed again and right")


@app.command("list")
@sync
async def list_(entity: Annotated[str, typer.Argument()], caller: As = None) -> None:
    """Shows who did what in one entity."""
    async with connect(caller) as client:
        request = service_pb2.ListAuditRecordsRequest(entity_id=entity)
        async for page in client.governance.ListAuditRecords(request):
            for record in page.records:
                action = audit_pb2.ActionAudited.FromString(record.record)
                line(record.sequence, action.at.ToJsonString(), action.actor, action.action, action.resource)


async def chains(client: Client) -> list[service_pb2.Chain]:
    """The heads of all chains that the caller may read."""
    listed = pages(client.governance.ListChains, service_pb2.ListChainsRequest(page_size=1000))
    return [chain async for page in listed for chain in page.chains]


async def verified(client: Client, chain: service_pb2.Chain) -> int:
    """How many records a chain has, all of whose hashes were computed here and found right.

    Raises:
        Invalid: a record was changed, left out or put in; says which.
    """
    verifier = ChainVerifier()
    async for page in client.governance.ListAuditRecords(
        service_pb2.ListAuditRecordsRequest(entity_id=chain.entity_id)
    ):
        for record in page.records:
            verifier.take(record)
            if verifier.length == chain.length and verifier.hash != chain.hash:
                raise Invalid(f"the chain of {chain.entity_id} does not lead to its head")
    if verifier.length < chain.length:
        raise Invalid(f"the chain of {chain.entity_id} ends at {verifier.length} of {chain.length} records")
    return verifier.length
