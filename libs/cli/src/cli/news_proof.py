"""`rossio news missing, reach, roll, keys, verify`: who has read and acknowledged, and the proof of it."""

from pathlib import Path
from typing import Annotated

import typer
from errors import Invalid
from rossio.news.v1 import service_pb2

from cli import roll as rolls
from cli.client import connect
from cli.command import As, note, sync, table, tell

app = typer.Typer()


@app.command()
@sync
async def missing(
    post: str,
    limit: Annotated[int, typer.Option()] = 50,
    by_unit: Annotated[bool, typer.Option("--by-unit", help="Counts instead of names.")] = False,
    caller: As = None,
) -> None:
    """Shows who has not acknowledged a post, or how many by entity and unit."""
    async with connect(caller) as client:
        if by_unit:
            counted = await client.news.GetMissingCounts(service_pb2.GetMissingCountsRequest(post_id=post))
            rows = (*counted.entities, *counted.units)
            table(
                ("entity", "unit", "missing", "of"),
                ((each.entity_id, each.unit_id, each.missing, each.audience_size) for each in rows),
            )
            return
        answer = await client.news.ListMissing(service_pb2.ListMissingRequest(post_id=post, page_size=limit))
    for person in answer.person_ids:
        print(person)
    note(f"{answer.missing} of {answer.audience_size} have not acknowledged")


@app.command()
@sync
async def reach(post: str, caller: As = None) -> None:
    """Shows how many have read a post, by entity, role and profession; small groups are not told."""
    async with connect(caller) as client:
        answer = await client.news.GetReach(service_pb2.GetReachRequest(post_id=post))
    parts = (
        ("all", [answer.whole]),
        ("entity", answer.entities),
        ("role", answer.roles),
        ("profession", answer.professions),
    )
    table(
        ("by", "", "audience", "read", "acknowledged"),
        (
            (by, each.value, each.audience_size, _figure(each, "read"), _figure(each, "acknowledged"))
            for by, counts in parts
            for each in counts
        ),
    )


@app.command()
@sync
async def roll(
    post: str, file: Annotated[Path, typer.Argument(help="Where to; must not exist.")], caller: As = None
) -> None:
    """Writes who has acknowledged a post and who has not into a signed file."""
    if file.exists():
        raise Invalid(f"{file} is there already")
    async with connect(caller) as client:
        parts = [part.content async for part in client.news.DownloadRoll(service_pb2.DownloadRollRequest(post_id=post))]
    file.write_bytes(b"".join(parts))


@app.command()
@sync
async def keys(
    file: Annotated[Path | None, typer.Argument(help="Where to; the screen when left out.")] = None, caller: As = None
) -> None:
    """Writes the public keys under which rolls verify, as a JWK set (RFC 7517): for whoever verifies them elsewhere."""
    text = rolls.key_set(await _public_keys(caller))
    if file is None:
        print(text)
    else:
        file.write_text(text + "\n")


@app.command()
@sync
async def verify(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False)],
    keys_file: Annotated[
        Path | None, typer.Option("--keys", help="A JWK set, as `rossio news keys` writes it.", exists=True)
    ] = None,
    key: Annotated[str, typer.Option(help="A public key, base64.")] = "",
    caller: As = None,
) -> None:
    """Verifies a signed roll: with keys that are given without a connection, else with those of the installation."""
    if keys_file is not None:
        trusted = rolls.keys_of_set(keys_file.read_text())
    elif key:
        trusted = [rolls.key_of(key)]
    else:
        trusted = await _public_keys(caller)
    found = rolls.verify(file, trusted)
    tell(
        f"holds: version {found.post['version']} of {found.post['post']}, "
        f"{found.post['acknowledged']} of {found.post['readers']} have acknowledged"
    )


async def _public_keys(caller: str | None) -> list[bytes]:
    async with connect(caller) as client:
        answer = await client.news.GetRollKeys(service_pb2.GetRollKeysRequest())
    return [each.public_key for each in answer.keys]


def _figure(count: service_pb2.ReachCount, name: str) -> object:
    return getattr(count, name) if count.HasField(name) else "-"  # type: ignore[arg-type]
