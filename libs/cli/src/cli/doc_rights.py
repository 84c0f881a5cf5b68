"""`rossio doc`: who may do what with a file or folder, and why."""

from typing import Annotated
from uuid import uuid4

import typer
from errors import Invalid
from rossio.directory.v1 import service_pb2 as directory_pb2
from rossio.document.v1 import document_pb2, service_pb2

from cli.client import Client, connect
from cli.command import As, sync, table

app = typer.Typer(no_args_is_help=True)
Person = Annotated[str, typer.Option(help="An id or address.")]
Id = Annotated[str, typer.Option(help="An id.")]
_ROLES = ("reader", "editor", "manager")
_LABELS = ("none", "public", "internal", "confidential", "clinical")


@app.command()
@sync
async def share(
    node: str,
    person: Person = "",
    group: Id = "",
    entity: Id = "",
    service: Id = "",
    citizen: Id = "",
    role: Annotated[str, typer.Option(help=f"One of {', '.join(_ROLES)}.")] = "reader",
    deny: Annotated[bool, typer.Option(help="They have less than the role, whatever else gives it to them.")] = False,
    caller: As = None,
) -> None:
    """Gives somebody a role on a file or folder and all below it, or denies it to them; prints the grant's id."""
    if role not in _ROLES:
        raise Invalid(f"--role is one of {', '.join(_ROLES)}")
    async with connect(caller) as client:
        grantee = await _grantee(client, person=person, group=group, entity=entity, service=service, citizen=citizen)
        request = service_pb2.ShareRequest(
            request_id=str(uuid4()),
            node_id=node,
            grantee=grantee,
            role=document_pb2.Role.Value(f"ROLE_{role.upper()}"),
            deny=deny,
        )
        print((await client.document.Share(request)).grant.grant_id)


@app.command()
@sync
async def unshare(node: str, grant: str, caller: As = None) -> None:
    """Takes a grant or a denial back."""
    async with connect(caller) as client:
        request = service_pb2.UnshareRequest(request_id=str(uuid4()), node_id=node, grant_id=grant)
        await client.document.Unshare(request)


@app.command()
@sync
async def grants(node: str, caller: As = None) -> None:
    """Lists the grants and denials on a file or folder and above it."""
    request = service_pb2.ListGrantsRequest(node_id=node, page_size=1000)
    async with connect(caller) as client:
        found = (await client.document.ListGrants(request)).grants
    rows = ((g.grant_id, g.node_id, _name(g.grantee), f"{'not ' * g.deny}{_word(g.role)}") for g in found)
    table(("grant", "on", "for", "role"), rows)


@app.command()
@sync
async def label(
    node: str, label: Annotated[str, typer.Argument(help=f"One of {', '.join(_LABELS)}.")], caller: As = None
) -> None:
    """Says how far a file or folder, and all below it, may go."""
    if label not in _LABELS:
        raise Invalid(f"a label is one of {', '.join(_LABELS)}")
    async with connect(caller) as client:
        number = document_pb2.Label.ValueType(_LABELS.index(label))
        await client.document.SetLabel(service_pb2.SetLabelRequest(request_id=str(uuid4()), node_id=node, label=number))


@app.command()
@sync
async def why(node: str, person: Person = "", service: Id = "", citizen: Id = "", caller: As = None) -> None:
    """Says what the caller, or as a manager anybody, may do with a file or folder, and each reason for it."""
    async with connect(caller) as client:
        request = service_pb2.WhyRequest(node_id=node)
        if person or service or citizen:
            about = await _grantee(client, person=person, service=service, citizen=citizen)
            request.about.CopyFrom(about)
        decision = await client.document.Why(request)
    print(_word(decision.role))
    table(("role then", "rule", "reason"), ((_word(r.role), _rule(r.rule), r.text) for r in decision.reasons))


async def _grantee(client: Client, *, person: str = "", **ids: str) -> document_pb2.Grantee:
    """Whom the options name; a person is looked up by address or id."""
    named = {f"{kind}_id": value for kind, value in ids.items() if value}
    if person:
        found = await client.directory.GetPerson(directory_pb2.GetPersonRequest(name=person))
        named["person_id"] = found.person.person_id
    if len(named) != 1:
        raise Invalid(f"say one of {', '.join(f'--{kind}' for kind in ('person', *ids))}")
    return document_pb2.Grantee(**named)


def _name(grantee: document_pb2.Grantee) -> str:
    field = grantee.WhichOneof("grantee") or ""
    return f"{field.removesuffix('_id')} {getattr(grantee, field, '')}"


def _word(role: document_pb2.Role.ValueType) -> str:
    return document_pb2.Role.Name(role).removeprefix("ROLE_").lower() if role else "nothing"


def _rule(rule: document_pb2.Rule.ValueType) -> str:
    return document_pb2.Rule.Name(rule).removeprefix("RULE_").lower()
