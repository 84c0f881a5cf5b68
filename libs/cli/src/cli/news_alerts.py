"""`rossio news alert, cap, import`: emergency alerts, of our own and as CAP 1.2 messages."""

import sys
from pathlib import Path
from typing import Annotated
from uuid import uuid4

import typer
from rossio.news.v1 import news_pb2, service_pb2

from cli.client import connect
from cli.command import As, console, sync, tell
from cli.news_editing import Audience, Confirm, Text, body_of, publish_request

app = typer.Typer()


@app.command()
@sync
async def alert(
    title: str,
    file: Text,
    event: Annotated[str, typer.Option(help="What happens, for example: flood.")],
    area: Annotated[str, typer.Option(help="Where, for people.")],
    category: Annotated[str, typer.Option(help="Met, Geo, Safety, Fire, Health, Infra, ...")] = "Safety",
    urgency: Annotated[str, typer.Option(help="Immediate, Expected, Future, Past or Unknown.")] = "Immediate",
    severity: Annotated[str, typer.Option(help="Extreme, Severe, Moderate, Minor or Unknown.")] = "Severe",
    certainty: Annotated[str, typer.Option(help="Observed, Likely, Possible, Unlikely or Unknown.")] = "Likely",
    audience: Audience = "all",
    locale: Annotated[str, typer.Option()] = "pt-PT",
    confirm: Confirm = False,
    caller: As = None,
) -> None:
    """Alerts people at once, on every channel."""
    said = news_pb2.Alert(
        category=category, urgency=urgency, severity=severity, certainty=certainty, event=event, area=area
    )
    request = service_pb2.CreatePostRequest(
        request_id=str(uuid4()),
        variants=[news_pb2.Variant(locale=locale, title=title, body=body_of(file))],
        audience=audience,
        options=news_pb2.PostOptions(alert=said, pinned=True),
    )
    await publish_request(request, caller, confirm=confirm)


@app.command()
@sync
async def cap(post: str, caller: As = None) -> None:
    """Prints an alert as a CAP 1.2 message."""
    async with connect(caller) as client:
        tell((await client.news.GetAlert(service_pb2.GetAlertRequest(post_id=post))).cap)


@app.command("import")
@sync
async def import_(
    file: Annotated[Path, typer.Argument(help="A CAP 1.2 message; - reads it from standard input.")],
    audience: Audience = "all",
    confirm: Confirm = False,
    caller: As = None,
) -> None:
    """Takes in a CAP 1.2 message: an alert is published, an update replaces, a cancellation retracts."""
    text = sys.stdin.read() if file == Path("-") else body_of(file)
    request = service_pb2.ImportAlertRequest(
        request_id=str(uuid4()), cap=text, audience=audience, confirm_audience=confirm
    )
    async with connect(caller) as client:
        post = (await client.news.ImportAlert(request)).post
    state = news_pb2.PostState.Name(post.state).removeprefix("POST_STATE_").lower()
    console.print(f"{state} {post.post_id}, {post.audience_size} people")
