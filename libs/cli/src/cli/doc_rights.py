"""`rossio doc`: who may do what with a file or folder, and why; links and quotas."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated
from uuid import uuid4

import typer
from errors import Invalid
from rossio.directory.v1 import service_pb2 as directory_pb2
from rossio.document.v1 import document_pb2, service_pb2

from cli.client import Client, connect, pages
from cli.command import As, sync, table
from cli.doc_transfer import receive
from cli.doc_tree import when

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
    who = _named(person=person, group=group, entity=entity, service=service, citizen=citizen)
    async with connect(caller) as client:
        grantee = await _grantee(client, *who)
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
        found = [grant async for page in pages(client.document.ListGrants, request) for grant in page.grants]
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
    who = _named(person=person, service=service, citizen=citizen) if person or service or citizen else None
    async with connect(caller) as client:
        request = service_pb2.WhyRequest(node_id=node, about=await _grantee(client, *who) if who else None)
        decision = await client.document.Why(request)
    print(_word(decision.role))
    table(("role then", "rule", "reason"), ((_word(r.role), _rule(r.rule), r.text) for r in decision.reasons))


@app.command()
@sync
async def link(
    node: str,
    days: Annotated[float, typer.Option(help="How long it holds, at most 366.")] = 30,
    uses: Annotated[int, typer.Option(help="How often it can be used; 1: once; 0: as often as one likes.")] = 0,
    password: Annotated[bool, typer.Option(help="Asks for one, or takes it from ROSSIO_LINK_PASSWORD.")] = False,
    caller: As = None,
) -> None:
    """Makes a link to a file and prints its address; it cannot be shown again."""
    request = service_pb2.CreateLinkRequest(request_id=str(uuid4()), node_id=node, max_uses=uses)
    request.expires_at.FromDatetime(datetime.now(UTC) + timedelta(days=days))
    request.password = _password(confirm=True) if password else ""
    async with connect(caller) as client:
        print((await client.document.CreateLink(request)).url)


@app.command()
@sync
async def links(node: str, caller: As = None) -> None:
    """Lists the links to a file."""
    async with connect(caller) as client:
        listed = pages(client.document.ListLinks, service_pb2.ListLinksRequest(node_id=node, page_size=1000))
        found = [link async for page in listed for link in page.links]
    rows = ((li.link_id, when(li.expires_at), f"{li.used}/{li.max_uses or '-'}", _how(li)) for li in found)
    table(("link", "until", "used", ""), rows)


@app.command()
@sync
async def unlink(node: str, link: str, caller: As = None) -> None:
    """Takes a link to a file back."""
    async with connect(caller) as client:
        request = service_pb2.RevokeLinkRequest(request_id=str(uuid4()), node_id=node, link_id=link)
        await client.document.RevokeLink(request)


@app.command("open")
@sync
async def open_(
    link: str,
    file: Annotated[Path, typer.Argument(help="Where to; must not exist.")],
    password: Annotated[bool, typer.Option(help="Asks for one, or takes it from ROSSIO_LINK_PASSWORD.")] = False,
    caller: As = None,
) -> None:
    """Fetches the file that a link, or its address, leads to."""
    if file.exists():
        raise Invalid(f"{file} is there already")
    request = service_pb2.OpenLinkRequest(request_id=str(uuid4()), text=link.rpartition("/")[2])
    request.password = _password() if password else ""
    async with connect(caller) as client:
        await receive(lambda _, __: client.document.OpenLink(request), file, goes_on=False)


@app.command()
@sync
async def quota(
    space: str,
    limit: Annotated[int, typer.Option(help="Sets how many bytes the space may hold; 0: as many as one likes.")] = -1,
    caller: As = None,
) -> None:
    """Shows what a space and its entity hold and may hold, in bytes, or sets it for the space."""
    async with connect(caller) as client:
        if limit >= 0:
            request = service_pb2.SetSpaceQuotaRequest(request_id=str(uuid4()), space_id=space, limit=limit)
            usages = {"space": (await client.document.SetSpaceQuota(request)).space}
        else:
            found = await client.document.GetQuota(service_pb2.GetQuotaRequest(space_id=space))
            usages = {"space": found.space, **({"entity": found.entity} if found.HasField("entity") else {})}
    table(("of", "used", "limit"), ((of, usage.used, usage.limit or "-") for of, usage in usages.items()))


@app.command()
@sync
async def recount(
    entity: str,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Says what is wrong, and corrects nothing.")] = False,
    caller: As = None,
) -> None:
    """Counts what an entity and its spaces hold anew from their files, and corrects and prints what was wrong."""
    async with connect(caller) as client:
        request = service_pb2.RecountUsageRequest(request_id=str(uuid4()), entity_id=entity, dry_run=dry_run)
        found = (await client.document.RecountUsage(request)).recounted
    table(("of", "counted", "held"), ((each.space_id or "entity", each.counted, each.held) for each in found))


def _how(link: document_pb2.Link) -> str:
    return ", ".join(word for word, holds in (("password", link.password), ("revoked", link.revoked)) if holds)


def _password(*, confirm: bool = False) -> str:
    given = os.environ.get("ROSSIO_LINK_PASSWORD", "")
    return given or str(typer.prompt("Password", hide_input=True, confirmation_prompt=confirm, err=True))


def _named(**options: str) -> tuple[str, str]:
    """The one kind of grantee that was said, and who."""
    named = [(kind, value) for kind, value in options.items() if value]
    if len(named) != 1:
        raise Invalid(f"say one of {', '.join(f'--{kind}' for kind in options)}")
    return named[0]


async def _grantee(client: Client, kind: str, value: str) -> document_pb2.Grantee:
    """A person is looked up by address or id, others are named by their id."""
    if kind == "person":
        found = await client.directory.GetPerson(directory_pb2.GetPersonRequest(name=value))
        value = found.person.person_id
    return document_pb2.Grantee(**{f"{kind}_id": value})


def _name(grantee: document_pb2.Grantee) -> str:
    field = grantee.WhichOneof("grantee") or ""
    return f"{field.removesuffix('_id')} {getattr(grantee, field, '')}"


def _word(role: document_pb2.Role.ValueType) -> str:
    return document_pb2.Role.Name(role).removeprefix("ROLE_").lower() if role else "nothing"


def _rule(rule: document_pb2.Rule.ValueType) -> str:
    return document_pb2.Rule.Name(rule).removeprefix("RULE_").lower()
