"""`rossio news`: the feed, reading and acknowledging; the rest of its commands stands beside it."""

from datetime import UTC, datetime, timedelta
from typing import Annotated
from uuid import uuid4

import typer
from rossio.news.v1 import service_pb2

from cli import news_alerts, news_editing, news_proof, news_talk
from cli.client import connect
from cli.command import As, line, shown, sync, table, tell

app = typer.Typer(no_args_is_help=True, help="Publish news, read the feed, acknowledge.")
app.add_typer(news_editing.app)
app.add_typer(news_alerts.app)
app.add_typer(news_proof.app)
app.add_typer(news_talk.app)


@app.command()
@sync
async def feed(
    limit: Annotated[int, typer.Option()] = 20,
    category: Annotated[str, typer.Option(help="Only this one.")] = "",
    caller: As = None,
) -> None:
    """Shows the caller's feed: what is pinned, what is unread, what is read."""
    async with connect(caller) as client:
        answer = await client.news.ListFeed(service_pb2.ListFeedRequest(page_size=limit, category=category))
    table(("post", "from", "title", "read", "acknowledged"), map(_item, answer.items))


@app.command()
@sync
async def watch(
    resume: Annotated[str, typer.Option(help="The token that stood before the last post seen.")] = "", caller: As = None
) -> None:
    """Shows new posts as they come, each behind the token from which to go on, until Ctrl-C."""
    async with connect(caller) as client:
        async for event in client.news.WatchFeed(service_pb2.WatchFeedRequest(resume_token=resume)):
            post = event.item.post
            line(event.resume_token, post.entity_id, post.variants[0].title)


@app.command()
@sync
async def read(post: str, caller: As = None) -> None:
    """Shows a post, which is read then."""
    async with connect(caller) as client:
        found = (await client.news.GetPost(service_pb2.GetPostRequest(post_id=post))).post
        await client.news.MarkRead(service_pb2.MarkReadRequest(request_id=str(uuid4()), post_ids=[post]))
    tell(f"{shown(found.variants[0].title)}\n\n{found.variants[0].body}")


@app.command()
@sync
async def ack(
    post: str,
    of: Annotated[str, typer.Option("--for", help="The person whose delegate the caller is.")] = "",
    caller: As = None,
) -> None:
    """Confirms that the caller has read a post, or does it in somebody's place."""
    async with connect(caller) as client:
        found = (await client.news.GetPost(service_pb2.GetPostRequest(post_id=post))).post
        await client.news.Acknowledge(
            service_pb2.AcknowledgeRequest(
                request_id=str(uuid4()), post_id=post, text_version=found.text_version, in_place_of=of
            )
        )


@app.command()
@sync
async def delegate(
    person: str, days: Annotated[int, typer.Option(help="0 takes it back.", min=0, max=366)] = 14, caller: As = None
) -> None:
    """Lets somebody acknowledge in the caller's place for some days."""
    request = service_pb2.SetDelegateRequest(request_id=str(uuid4()), delegate_id=person)
    request.until.FromDatetime(datetime.now(UTC) + timedelta(days=days))
    async with connect(caller) as client:
        await client.news.SetDelegate(request)


@app.command()
@sync
async def taste(
    follow: Annotated[list[str] | None, typer.Option(help="A category to follow; may be said again.")] = None,
    mute: Annotated[list[str] | None, typer.Option(help="A category not to be shown; may be said again.")] = None,
    forget: Annotated[list[str] | None, typer.Option(help="A category neither followed nor muted any more.")] = None,
    caller: As = None,
) -> None:
    """Shows which categories the caller follows and mutes, after the changes that are asked for."""
    followed, muted, forgotten = set(follow or ()), set(mute or ()), set(forget or ())
    async with connect(caller) as client:
        held = (await client.news.GetTaste(service_pb2.GetTasteRequest())).taste
        if followed or muted or forgotten:
            said = service_pb2.Taste(
                followed=sorted(set(held.followed) - muted - forgotten | followed),
                muted=sorted(set(held.muted) - followed - forgotten | muted),
            )
            request = service_pb2.SetTasteRequest(request_id=str(uuid4()), taste=said)
            held = (await client.news.SetTaste(request)).taste
    rows = [*((each, "followed") for each in held.followed), *((each, "muted") for each in held.muted)]
    table(("category", ""), rows)


@app.command()
@sync
async def subscribe(caller: As = None) -> None:
    """Prints the secret paths under which the caller's feed is served; the ones before end."""
    request = service_pb2.CreateFeedTokenRequest(request_id=str(uuid4()))
    async with connect(caller) as client:
        token = (await client.news.CreateFeedToken(request)).token
    print(f"/feeds/{token}.atom\n/feeds/{token}.json")


def _item(item: service_pb2.FeedItem) -> tuple[object, ...]:
    post = item.post
    asked = ("yes" if item.acknowledged else f"until {post.acknowledge_by.ToJsonString()}") if post.mandatory else "-"
    return post.post_id, post.entity_id, post.variants[0].title, "yes" if item.read else "no", asked
