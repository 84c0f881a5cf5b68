"""`rossio news`: publish, feed, acknowledge, who has not."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated
from uuid import uuid4

import typer
from errors import Invalid
from rossio.news.v1 import news_pb2, service_pb2

from cli.client import connect
from cli.command import As, console, note, sync, table

app = typer.Typer(no_args_is_help=True, help="Publish news, read the feed, acknowledge.")


@app.command()
@sync
async def publish(
    title: str,
    file: Annotated[Path, typer.Argument(help="The text, as Markdown.", exists=True, dir_okay=False)],
    audience: Annotated[str, typer.Option(help='For example: entity = "e01" and profession in ("nurse")')] = "all",
    acknowledge_within: Annotated[int, typer.Option(help="Days; 0: it need not be acknowledged.", min=0, max=3650)] = 0,
    locale: Annotated[str, typer.Option()] = "pt-PT",
    caller: As = None,
) -> None:
    """Publishes a post at once and prints its id."""
    try:
        body = file.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise Invalid(f"{file} is not UTF-8 text") from None
    request = service_pb2.CreatePostRequest(
        request_id=str(uuid4()),
        variants=[news_pb2.Variant(locale=locale, title=title, body=body)],
        audience=audience,
        mandatory=acknowledge_within > 0,
    )
    if acknowledge_within:
        request.acknowledge_by.FromDatetime(datetime.now(UTC) + timedelta(days=acknowledge_within))
    async with connect(caller) as client:
        draft = (await client.news.CreatePost(request)).post
        post = (
            await client.news.PublishPost(
                service_pb2.PublishPostRequest(request_id=str(uuid4()), post_id=draft.post_id, etag=draft.etag)
            )
        ).post
    console.print(f"published {post.post_id} to {post.audience_size} people")


@app.command()
@sync
async def preview(audience: str, caller: As = None) -> None:
    """Counts who an audience expression holds."""
    async with connect(caller) as client:
        answer = await client.news.PreviewAudience(service_pb2.PreviewAudienceRequest(audience=audience))
    console.print(f"{answer.size} people" + (f", among them {', '.join(answer.sample)}" if answer.sample else ""))


@app.command()
@sync
async def feed(limit: Annotated[int, typer.Option()] = 20, caller: As = None) -> None:
    """Shows the caller's feed, newest first."""
    async with connect(caller) as client:
        answer = await client.news.ListFeed(service_pb2.ListFeedRequest(page_size=limit))
    table(("post", "from", "title", "acknowledged"), map(_item, answer.items))


@app.command()
@sync
async def ack(post: str, caller: As = None) -> None:
    """Confirms that the caller has read a post."""
    async with connect(caller) as client:
        found = (await client.news.GetPost(service_pb2.GetPostRequest(post_id=post))).post
        await client.news.Acknowledge(
            service_pb2.AcknowledgeRequest(request_id=str(uuid4()), post_id=post, text_version=found.text_version)
        )


@app.command()
@sync
async def missing(post: str, limit: Annotated[int, typer.Option()] = 50, caller: As = None) -> None:
    """Shows who has not acknowledged a post."""
    async with connect(caller) as client:
        answer = await client.news.ListMissing(service_pb2.ListMissingRequest(post_id=post, page_size=limit))
    for person in answer.person_ids:
        print(person)
    note(f"{answer.missing} of {answer.audience_size} have not acknowledged")


def _item(item: service_pb2.FeedItem) -> tuple[object, ...]:
    post = item.post
    asked = ("yes" if item.acknowledged else f"until {post.acknowledge_by.ToJsonString()}") if post.mandatory else "-"
    return post.post_id, post.entity_id, post.variants[0].title, asked
