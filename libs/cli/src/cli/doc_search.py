"""`rossio doc`: finding files by what they are called and what stands in them."""

from datetime import UTC, datetime
from typing import Annotated
from uuid import uuid4

import typer
from rossio.document.v1 import document_pb2, service_pb2

from cli.client import Client, connect
from cli.command import As, note, sync, table
from cli.doc_tree import when

_TYPES = [name.removeprefix("FILE_TYPE_").lower() for name in document_pb2.FileType.keys()[1:]]
_LABELS = [name.removeprefix("LABEL_").lower() for name in document_pb2.Label.keys()[1:]]
_DAY = ["%Y-%m-%d"]


@sync
async def search(
    query: Annotated[str, typer.Argument(help='Words, "a phrase", -without, begin*.')] = "",
    space: Annotated[str, typer.Option(help="In this space.")] = "",
    folder: Annotated[str, typer.Option(help="At any depth below this folder.")] = "",
    within: Annotated[str, typer.Option(help="Below folders that are called so.")] = "",
    type_: Annotated[list[str], typer.Option("--type", help=f"Of {', '.join(_TYPES)}; may be repeated.")] = [],  # noqa: B006
    label: Annotated[list[str], typer.Option(help=f"Of {', '.join(_LABELS)}; may be repeated.")] = [],  # noqa: B006
    author: Annotated[str, typer.Option(help="The id of who wrote the current version.")] = "",
    since: Annotated[datetime | None, typer.Option(formats=_DAY, help="Modified on this day or later.")] = None,
    until: Annotated[datetime | None, typer.Option(formats=_DAY, help="Modified before this day.")] = None,
    most: Annotated[int, typer.Option(help="How many at most.")] = 20,
    caller: As = None,
) -> None:
    """Finds files and folders, what is called so first and the newest first."""
    request = service_pb2.SearchRequest(
        query=query,
        space_id=space,
        folder_id=folder,
        folder=within,
        types=[document_pb2.FileType.Value(f"FILE_TYPE_{_one_of(_TYPES, each, '--type')}") for each in type_],
        labels=[document_pb2.Label.Value(f"LABEL_{_one_of(_LABELS, each, '--label')}") for each in label],
        author_id=author,
    )
    if since:
        request.modified_from.FromDatetime(since.replace(tzinfo=UTC))
    if until:
        request.modified_until.FromDatetime(until.replace(tzinfo=UTC))
    async with connect(caller) as client:
        found = await _found(client, request, most)
    table(("node", "modified", "path", "text"), map(_row, found))


@sync
async def reindex(
    entity: str,
    extract: Annotated[bool, typer.Option(help="Takes the text out of all files once more, too.")] = False,
    caller: As = None,
) -> None:
    """Has the search index of an entity made anew from the store; the old one answers until then."""
    async with connect(caller) as client:
        request = service_pb2.ReindexRequest(request_id=str(uuid4()), entity_id=entity, extract=extract)
        await client.searching.Reindex(request)
    note("asked for: every process that holds an index makes it")


@sync
async def extraction(node: str, caller: As = None) -> None:
    """Says whether a file is found by its text, and if not, why."""
    async with connect(caller) as client:
        answer = await client.searching.GetExtraction(service_pb2.GetExtractionRequest(node_id=node))
    word = document_pb2.Extraction.Name(answer.extraction).removeprefix("EXTRACTION_").lower()
    print(word if answer.extraction else "pending")


async def _found(client: Client, request: service_pb2.SearchRequest, most: int) -> list[document_pb2.SearchResult]:
    found = list[document_pb2.SearchResult]()
    while len(found) < most:
        request.page_size = min(most - len(found), 100)
        page = await client.searching.Search(request)
        found += page.results
        request.page_token = page.next_page_token
        if not request.page_token:
            break
    return found


def _row(found: document_pb2.SearchResult) -> tuple[str, str, str, str]:
    node = found.node
    text = "".join(f"[{part.text}]" if part.match else part.text for part in found.snippet)
    modified = node.version.created_at if node.HasField("version") else node.created_at
    return node.node_id, when(modified), "/".join([*found.folders, node.name]), " ".join(text.split())


def _one_of(known: list[str], word: str, option: str) -> str:
    """The word as the contract spells it."""
    if word.lower() not in known:
        raise typer.BadParameter(f"{option} is one of {', '.join(known)}")
    return word.upper()
