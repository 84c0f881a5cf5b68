"""`rossio news draft, edit, posts, publish, release, submit, review, ...`: from the draft to the archive."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated
from uuid import uuid4

import grpc.aio
import typer
from errors import Invalid
from rossio.news.v1 import news_pb2, service_pb2

from cli.client import connect, pages
from cli.command import As, console, note, shown, sync, table, tell

app = typer.Typer()

Audience = Annotated[str, typer.Option(help='For example: entity = "e01" and profession in ("nurse")')]
Confirm = Annotated[bool, typer.Option("--confirm", help="It may go to nobody, or to everybody.")]
Text = Annotated[Path, typer.Argument(help="The text, as Markdown.", exists=True, dir_okay=False)]
Days = Annotated[int, typer.Option(help="Days; 0: it need not be acknowledged.", min=0, max=3650)]
When = Annotated[datetime, typer.Argument(help="UTC, for example 2027-01-31T09:00:00.")]


@app.command()
@sync
async def draft(
    title: str,
    file: Text,
    audience: Audience = "all",
    acknowledge_within: Days = 0,
    locale: Annotated[str, typer.Option()] = "pt-PT",
    approvals: Annotated[int, typer.Option(help="How many approvers it needs.", min=0, max=10)] = 0,
    category: Annotated[str, typer.Option()] = "",
    live: Annotated[bool, typer.Option(help="Joiners and movers come in and go out later too.")] = False,
    pinned: Annotated[bool, typer.Option()] = False,
    caller: As = None,
) -> None:
    """Stores a draft and prints its id."""
    request = _request(title, file, audience, acknowledge_within, locale)
    request.options.MergeFrom(news_pb2.PostOptions(approvals=approvals, category=category, pinned=pinned))
    if live:
        request.options.audience_kind = news_pb2.AUDIENCE_KIND_LIVE
    async with connect(caller) as client:
        print((await client.news.CreatePost(request)).post.post_id)


@app.command()
@sync
async def publish(
    title: str,
    file: Text,
    audience: Audience = "all",
    acknowledge_within: Days = 0,
    locale: Annotated[str, typer.Option()] = "pt-PT",
    confirm: Confirm = False,
    caller: As = None,
) -> None:
    """Publishes a post at once and prints its id."""
    await publish_request(_request(title, file, audience, acknowledge_within, locale), caller, confirm=confirm)


async def publish_request(request: service_pb2.CreatePostRequest, caller: str | None, *, confirm: bool) -> None:
    """What cannot be published stays a draft, and its id is said."""
    async with connect(caller) as client:
        post = (await client.news.CreatePost(request)).post
        try:
            done = (await client.news.PublishPost(_publication(post, confirm=confirm))).post
        except grpc.aio.AioRpcError:
            note(f"it is the draft {post.post_id} now: rossio news edit, then rossio news release")
            raise
    console.print(f"published {done.post_id} to {done.audience_size} people")


@app.command()
@sync
async def edit(
    post: str,
    file: Annotated[Path | None, typer.Option("--file", help="The text, as Markdown.", exists=True)] = None,
    title: Annotated[str, typer.Option()] = "",
    locale: Annotated[str, typer.Option(help="Which text; one that is not there yet is added.")] = "pt-PT",
    audience: Annotated[str, typer.Option()] = "",
    acknowledge_within: Annotated[int | None, typer.Option(help="Days; 0: it need not be.", min=0, max=3650)] = None,
    caller: As = None,
) -> None:
    """Changes the text in hand of a post; its readers keep what is published until `release`."""
    async with connect(caller) as client:
        found = (await client.news.GetPost(service_pb2.GetPostRequest(post_id=post))).post
        request = service_pb2.UpdatePostRequest(
            request_id=str(uuid4()),
            post_id=post,
            etag=found.etag,
            variants=_with(found.variants, locale, title, file),
            audience=audience or found.audience,
            mandatory=found.mandatory,
            options=found.options,
        )
        if found.HasField("acknowledge_by"):
            request.acknowledge_by.CopyFrom(found.acknowledge_by)
        if acknowledge_within is not None:
            _demand(request, acknowledge_within)
        await client.news.UpdatePost(request)


@app.command()
@sync
async def posts(
    state: Annotated[str, typer.Argument(help="draft, in_review, approved, scheduled, published, expired, ...")],
    caller: As = None,
) -> None:
    """Shows the posts of the caller's entity that are in a state."""
    try:
        wanted = news_pb2.PostState.Value(f"POST_STATE_{state.upper()}")
    except ValueError:
        raise Invalid(f"there is no state {state}") from None
    rows: list[news_pb2.Post] = []
    async with connect(caller) as client:
        request = service_pb2.ListPostsRequest(state=wanted, page_size=100)
        async for page in pages(client.news.ListPosts, request):
            rows += page.posts
    table(
        ("post", "by", "title", "languages", "audience", "people"),
        (
            (
                each.post_id,
                each.author_id,
                each.variants[0].title,
                " ".join(variant.locale for variant in each.variants),
                each.audience,
                each.audience_size,
            )
            for each in rows
        ),
    )


@app.command()
@sync
async def release(post: str, confirm: Confirm = False, caller: As = None) -> None:
    """Publishes the text in hand of a post, approved where it needs that."""
    async with connect(caller) as client:
        found = (await client.news.GetPost(service_pb2.GetPostRequest(post_id=post))).post
        done = (await client.news.PublishPost(_publication(found, confirm=confirm))).post
    console.print(f"published {done.post_id} to {done.audience_size} people")


@app.command()
@sync
async def schedule(post: str, at: When, confirm: Confirm = False, caller: As = None) -> None:
    """Has a post published later."""
    async with connect(caller) as client:
        found = (await client.news.GetPost(service_pb2.GetPostRequest(post_id=post))).post
        request = service_pb2.SchedulePostRequest(
            request_id=str(uuid4()), post_id=post, etag=found.etag, confirm_audience=confirm
        )
        request.publish_at.FromDatetime(at.replace(tzinfo=UTC))
        await client.news.SchedulePost(request)


@app.command()
@sync
async def submit(post: str, caller: As = None) -> None:
    """Asks the approvers."""
    async with connect(caller) as client:
        found = (await client.news.GetPost(service_pb2.GetPostRequest(post_id=post))).post
        await client.news.SubmitPost(
            service_pb2.SubmitPostRequest(request_id=str(uuid4()), post_id=post, etag=found.etag)
        )


@app.command()
@sync
async def review(
    post: str,
    reject: Annotated[bool, typer.Option("--reject", help="Send it back; say why.")] = False,
    reason: Annotated[str, typer.Option()] = "",
    caller: As = None,
) -> None:
    """Approves a post that was submitted, or sends it back."""
    async with connect(caller) as client:
        found = (await client.news.GetPost(service_pb2.GetPostRequest(post_id=post))).post
        request = service_pb2.ReviewPostRequest(
            request_id=str(uuid4()), post_id=post, etag=found.etag, approve=not reject, reason=reason
        )
        done = (await client.news.ReviewPost(request)).post
    console.print(f"{len(done.approvals)} of {max(1, done.options.approvals)} approvals")


@app.command()
@sync
async def retract(post: str, reason: str, caller: As = None) -> None:
    """Takes a published post back."""
    async with connect(caller) as client:
        await client.news.RetractPost(
            service_pb2.RetractPostRequest(request_id=str(uuid4()), post_id=post, reason=reason)
        )


@app.command()
@sync
async def archive(post: str, caller: As = None) -> None:
    """Takes a published post out of the feeds; its readers may still open it."""
    async with connect(caller) as client:
        await client.news.ArchivePost(service_pb2.ArchivePostRequest(request_id=str(uuid4()), post_id=post))


@app.command()
@sync
async def check(post: str, caller: As = None) -> None:
    """Shows what keeps people from reading a post."""
    async with connect(caller) as client:
        found = (await client.news.GetFindings(service_pb2.GetFindingsRequest(post_id=post))).findings
    table(
        ("", "language", "rule", "what"),
        (("error" if each.error else "advice", each.locale, each.rule, each.message) for each in found),
    )


@app.command()
@sync
async def history(post: str, caller: As = None) -> None:
    """Shows who did what to a post, newest first."""
    async with connect(caller) as client:
        deeds = (await client.news.GetHistory(service_pb2.GetHistoryRequest(post_id=post))).deeds
    table(
        ("at", "who", "what", "etag", "why"),
        ((each.at.ToJsonString(), each.actor_id, each.verb, each.etag, each.reason) for each in deeds),
    )


@app.command()
@sync
async def preview(audience: str, caller: As = None) -> None:
    """Counts who an audience expression holds."""
    async with connect(caller) as client:
        answer = await client.news.PreviewAudience(service_pb2.PreviewAudienceRequest(audience=audience))
    tell(shown(f"{answer.size} people" + (f", among them {', '.join(answer.sample)}" if answer.sample else "")))
    if answer.confirm:
        note("that is nobody or everybody: publishing asks for --confirm")


def _request(
    title: str, file: Path, audience: str, acknowledge_within: int, locale: str
) -> service_pb2.CreatePostRequest:
    request = service_pb2.CreatePostRequest(
        request_id=str(uuid4()),
        variants=[news_pb2.Variant(locale=locale, title=title, body=body_of(file))],
        audience=audience,
    )
    _demand(request, acknowledge_within)
    return request


def _demand(request: service_pb2.CreatePostRequest | service_pb2.UpdatePostRequest, days: int) -> None:
    """It has to be acknowledged within so many days; 0: it need not be."""
    request.mandatory = days > 0
    request.ClearField("acknowledge_by")
    if days:
        request.acknowledge_by.FromDatetime(datetime.now(UTC) + timedelta(days=days))


def body_of(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise Invalid(f"{file} is not UTF-8 text") from None


def _with(texts: Iterable[news_pb2.Variant], locale: str, title: str, file: Path | None) -> list[news_pb2.Variant]:
    """The texts, that of the locale changed or, where there is none, added."""
    changed = [news_pb2.Variant(locale=each.locale, title=each.title, body=each.body) for each in texts]
    found = next((each for each in changed if each.locale == locale), None)
    if found is None and (title or file):
        if not (title and file):
            raise Invalid(f"there is no text in {locale} yet: it needs --title and --file")
        found = news_pb2.Variant(locale=locale)
        changed.append(found)
    if found is not None:
        found.title = title or found.title
        found.body = body_of(file) if file else found.body
    return changed


def _publication(post: news_pb2.Post, *, confirm: bool) -> service_pb2.PublishPostRequest:
    return service_pb2.PublishPostRequest(
        request_id=str(uuid4()), post_id=post.post_id, etag=post.etag, confirm_audience=confirm
    )
