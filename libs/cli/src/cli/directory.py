"""`rossio directory`: look people and groups up, import CSV files."""

from pathlib import Path
from typing import Annotated

import typer
from devstack import ministry
from errors import Invalid
from rossio.directory.v1 import directory_pb2, service_pb2

from cli.client import connect
from cli.command import As, note, sync, table

app = typer.Typer(no_args_is_help=True, help="Look up people and entities, import CSV files.")


@app.command()
@sync
async def whoami(caller: As = None) -> None:
    """Shows the caller as the directory knows them."""
    async with connect(caller) as client:
        answer = await client.directory.WhoAmI(service_pb2.WhoAmIRequest())
    _show(answer.person)


@app.command()
@sync
async def entities(caller: As = None) -> None:
    """Lists the entities and their domains."""
    async with connect(caller) as client:
        answer = await client.directory.ListEntities(service_pb2.ListEntitiesRequest(page_size=1000))
    table(
        ("entity", "kind", "name", "domains"),
        ((e.entity_id, e.kind, e.name, ",".join(e.domains)) for e in answer.entities),
    )


@app.command()
@sync
async def person(name: Annotated[str, typer.Argument(help="An id or address.")], caller: As = None) -> None:
    """Shows one person."""
    async with connect(caller) as client:
        answer = await client.directory.GetPerson(service_pb2.GetPersonRequest(name=name))
    _show(answer.person)


@app.command("import")
@sync
async def import_(
    folder: Annotated[Path, typer.Argument(help="Holds entities.csv, units.csv, people.csv, groups.csv, or some.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would change, and change nothing.")] = False,
    full: Annotated[bool, typer.Option("--full", help="People who are not in the files leave.")] = False,
    caller: As = None,
) -> None:
    """Imports CSV files: all of them, or nothing when a row is bad."""
    options = service_pb2.ImportOptions(dry_run=dry_run, full=full)
    async with connect(caller) as client:
        report = await ministry.import_folder(client.directory, folder, options)
    table(
        ("table", "added", "changed", "left", "same"),
        ((d.table, d.added, d.changed, d.left, d.same) for d in report.diffs),
    )
    for error in report.errors:
        note(f"{error.table}.csv:{error.line} {error.column}: {error.message}")
    if report.errors:
        raise Invalid(f"{len(report.errors)} error(s) in the files; nothing was changed")


def _show(person: directory_pb2.Person) -> None:
    state = directory_pb2.PersonState.Name(person.state).removeprefix("PERSON_STATE_").lower()
    rows = (
        ("id", person.person_id),
        ("name", f"{person.given_name} {person.family_name}"),
        ("entity", person.entity_id),
        ("unit", person.unit_id),
        ("profession", person.profession),
        ("addresses", ", ".join(person.addresses)),
        ("mobile", person.mobile),
        ("roles", ", ".join(person.roles)),
        ("state", state),
    )
    table(("of", "is"), rows)
