"""`rossio doc`: folders, moving, copying, the trash, versions and locks."""

from datetime import UTC
from typing import Annotated, Any
from uuid import uuid4

import typer
from errors import Invalid, NotFound
from rossio.document.v1 import document_pb2, service_pb2

from cli.client import Client, connect, pages
from cli.command import As, sync, table

app = typer.Typer(no_args_is_help=True)
Name = Annotated[str, typer.Option(help="Another name.")]


@app.command()
@sync
async def mkdir(folder: str, name: str, caller: As = None) -> None:
    """Makes a folder in a folder and prints its id."""
    async with connect(caller) as client:
        request = service_pb2.CreateFolderRequest(request_id=str(uuid4()), parent_id=folder, name=name)
        print((await client.document.CreateFolder(request)).node.node_id)


@app.command()
@sync
async def mv(
    node: str,
    folder: Annotated[str, typer.Argument(help="The folder that it goes into; none: it stays.")] = "",
    name: Name = "",
    caller: As = None,
) -> None:
    """Moves a file or folder within its space, renames it, or both."""
    if not folder and not name:
        raise Invalid("say a folder, a --name, or both")
    async with connect(caller) as client:
        if folder:
            move = service_pb2.MoveRequest(request_id=str(uuid4()), node_id=node, parent_id=folder, name=name)
            await client.document.Move(move)
        else:
            await client.document.Rename(service_pb2.RenameRequest(request_id=str(uuid4()), node_id=node, name=name))


@app.command()
@sync
async def cp(node: str, folder: str, name: Name = "", caller: As = None) -> None:
    """Copies a file, or a folder with all that the caller may read, into a folder and prints the copy's id."""
    async with connect(caller) as client:
        request = service_pb2.CopyRequest(request_id=str(uuid4()), node_id=node, parent_id=folder, name=name)
        print((await client.document.Copy(request)).node.node_id)


@app.command()
@sync
async def rm(
    node: str,
    purge: Annotated[bool, typer.Option(help="Out of the trash, for good.")] = False,
    caller: As = None,
) -> None:
    """Puts a file or folder into the trash, or takes it out of it for good."""
    async with connect(caller) as client:
        if purge:
            await client.document.Purge(service_pb2.PurgeRequest(request_id=str(uuid4()), node_id=node))
            return
        await client.document.Trash(service_pb2.TrashRequest(request_id=str(uuid4()), node_id=node))


@app.command()
@sync
async def restore(node: str, name: Name = "", caller: As = None) -> None:
    """Takes a file or folder out of the trash."""
    async with connect(caller) as client:
        await client.document.Restore(service_pb2.RestoreRequest(request_id=str(uuid4()), node_id=node, name=name))


@app.command()
@sync
async def trash(space: str, caller: As = None) -> None:
    """Lists what lies in the trash of a space."""
    async with connect(caller) as client:
        listed = pages(client.document.ListTrash, service_pb2.ListTrashRequest(space_id=space, page_size=1000))
        nodes = [node async for page in listed for node in page.nodes]
    table(("node", "since", "name"), ((n.node_id, when(n.updated_at), n.name) for n in nodes))


@app.command()
@sync
async def versions(node: str, caller: As = None) -> None:
    """Lists the versions of a file, newest first."""
    async with connect(caller) as client:
        found = await _versions(client, node)
    rows = ((v.number, v.size, when(v.created_at), v.author_id, "frozen" if v.frozen else "", v.sha256) for v in found)
    table(("version", "size", "at", "author", "", "sha256"), rows)


@app.command()
@sync
async def diff(
    node: str,
    before: Annotated[int, typer.Argument(help="The number of a version.")],
    after: Annotated[int, typer.Argument(help="That of another one; 0: the current one.")] = 0,
    caller: As = None,
) -> None:
    """Lists what is said of two versions of a file and is not the same."""
    async with connect(caller) as client:
        found = await _versions(client, node)
    by_number = {version.number: version for version in found} | {0: found[0]}
    if not {before, after} <= set(by_number):
        raise NotFound("the file has no such version")
    one, other = _said(by_number[before]), _said(by_number[after])
    table(("of", "before", "after"), ((what, one[what], other[what]) for what in one if one[what] != other[what]))


async def _versions(client: Client, node: str) -> list[document_pb2.Version]:
    listed = pages(client.document.ListVersions, service_pb2.ListVersionsRequest(node_id=node, page_size=1000))
    return [version async for page in listed for version in page.versions]


def _said(version: document_pb2.Version) -> dict[str, object]:
    return {
        "number": version.number,
        "size": version.size,
        "type": version.media_type,
        "at": when(version.created_at),
        "author": version.author_id,
        "sha256": version.sha256,
        "frozen": version.frozen,
    }


@app.command()
@sync
async def version(
    node: str,
    number: int,
    do: Annotated[str, typer.Argument(help="restore, freeze, thaw or delete")],
    caller: As = None,
) -> None:
    """Restores a version of a file, freezes or thaws it, or deletes it."""
    said: dict[str, Any] = {"request_id": str(uuid4()), "node_id": node, "number": number}
    async with connect(caller) as client:
        match do:
            case "restore":
                await client.document.RestoreVersion(service_pb2.RestoreVersionRequest(**said))
            case "freeze" | "thaw":
                await client.document.FreezeVersion(service_pb2.FreezeVersionRequest(**said, thaw=do == "thaw"))
            case "delete":
                await client.document.DeleteVersion(service_pb2.DeleteVersionRequest(**said))
            case _:
                raise Invalid("a version is restored, frozen, thawed or deleted: restore, freeze, thaw, delete")


@app.command()
@sync
async def lock(
    node: str, seconds: Annotated[int, typer.Option(help="How long, at most a day.")] = 1800, caller: As = None
) -> None:
    """Locks a file, or prolongs the lock, and prints when it ends."""
    async with connect(caller) as client:
        request = service_pb2.LockRequest(request_id=str(uuid4()), node_id=node, lease_seconds=seconds)
        print(when((await client.document.Lock(request)).node.lock.until))


@app.command()
@sync
async def unlock(node: str, caller: As = None) -> None:
    """Takes the lock of a file away: the caller's own, or as a manager anybody's."""
    async with connect(caller) as client:
        await client.document.Unlock(service_pb2.UnlockRequest(request_id=str(uuid4()), node_id=node))


def when(timestamp: Any) -> str:
    """A time for people, in seconds and UTC."""
    return str(timestamp.ToDatetime(UTC).isoformat(timespec="seconds"))
