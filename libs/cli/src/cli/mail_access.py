"""`rossio mail password` and `rossio mail delegate`: what mail programs say for their owner, and in whose name."""

from datetime import UTC, datetime, timedelta
from typing import Annotated
from uuid import uuid4

import typer
from rossio.mail.v1 import access_pb2

from cli.client import connect, pages
from cli.command import As, console, note, sync, table

password = typer.Typer(no_args_is_help=True, help="App passwords for mail programs (SMTP AUTH PLAIN).")
delegate = typer.Typer(no_args_is_help=True, help="Who may send in the name of an address.")


@password.command("create")
@sync
async def create(
    name: Annotated[str, typer.Argument(help="What you call it, for example: phone.")],
    days: Annotated[int, typer.Option(help="How long it holds; 0: until it is revoked.", min=0)] = 0,
    caller: As = None,
) -> None:
    """Makes one and shows it, once."""
    request = access_pb2.CreateAppPasswordRequest(request_id=str(uuid4()), name=name)
    if days:
        request.expires_at.FromDatetime(datetime.now(UTC) + timedelta(days=days))
    async with connect(caller) as client:
        made = await client.mail.CreateAppPassword(request)
    console.print(made.password)
    note("nobody can show it again; `rossio mail password revoke` takes it back")


@password.command("list")
@sync
async def list_passwords(caller: As = None) -> None:
    """Shows the caller's, without the passwords themselves."""
    found: list[access_pb2.AppPassword] = []
    request = access_pb2.ListAppPasswordsRequest()
    async with connect(caller) as client:
        async for page in pages(client.mail.ListAppPasswords, request):
            found += page.app_passwords
    table(
        ("id", "name", "made", "state"),
        ((p.password_id, p.name, p.created_at.ToJsonString(), _state(p)) for p in found),
    )


def _state(password: access_pb2.AppPassword) -> str:
    if password.HasField("revoked_at"):
        return "revoked"
    return f"until {password.expires_at.ToJsonString()}" if password.HasField("expires_at") else "holds"


@password.command("revoke")
@sync
async def revoke_password(
    password_id: Annotated[str, typer.Argument(help="As `list` shows it.")], caller: As = None
) -> None:
    """Takes one back; it does not hold from then on."""
    request = access_pb2.RevokeAppPasswordRequest(request_id=str(uuid4()), password_id=password_id)
    async with connect(caller) as client:
        await client.mail.RevokeAppPassword(request)


Owner = Annotated[str, typer.Argument(help="The address in whose name mail is sent.")]
To = Annotated[str, typer.Argument(help="The address of the person or group who may.")]


@delegate.command("grant")
@sync
async def grant(
    owner: Owner,
    to: To,
    send_as: Annotated[bool, typer.Option("--send-as", help="Without a Sender field that says who it was.")] = False,
    caller: As = None,
) -> None:
    """Lets somebody send on behalf of the address, or as it."""
    right = access_pb2.SENDING_RIGHT_SEND_AS if send_as else access_pb2.SENDING_RIGHT_ON_BEHALF
    request = access_pb2.GrantDelegationRequest(request_id=str(uuid4()), owner=owner, to=to, right=right)
    async with connect(caller) as client:
        await client.mail.GrantDelegation(request)


@delegate.command("revoke")
@sync
async def revoke(owner: Owner, to: To, caller: As = None) -> None:
    """Ends the right of somebody to an address."""
    request = access_pb2.RevokeDelegationRequest(request_id=str(uuid4()), owner=owner, to=to)
    async with connect(caller) as client:
        await client.mail.RevokeDelegation(request)


@delegate.command("list")
@sync
async def list_delegations(owner: Owner, caller: As = None) -> None:
    """Shows who may use an address."""
    async with connect(caller) as client:
        found = (await client.mail.GetDelegations(access_pb2.GetDelegationsRequest(owner=owner))).delegations
    rights = ((each.person_id or each.group_id, _right(each.right)) for each in found)
    table(("who", "right"), rights)


def _right(right: access_pb2.SendingRight.ValueType) -> str:
    return access_pb2.SendingRight.Name(right).removeprefix("SENDING_RIGHT_").lower().replace("_", "-")
