"""`rossio news`: write, review and publish, read and acknowledge, who has not, and the roll."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated
from uuid import uuid4

import typer
from errors import Invalid
from rossio.news.v1 import news_pb2, service_pb2

from cli import roll as rolls
from cli.client import connect
from cli.command import As, console, note, sync, table

app = typer.Typer(no_args_is_help=True, help="Publish news, read the feed, acknowledge.")

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
    request = _request(title, file, audience, acknowledge_within, locale)
    async with connect(caller) as client:
        post = (await client.news.CreatePost(request)).post
        post = (await client.news.PublishPost(_publication(post, confirm=confirm))).post
    console.print(f"published {post.post_id} to {post.audience_size} people")


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
    console.print(f"{answer.size} people" + (f", among them {', '.join(answer.sample)}" if answer.sample else ""))
    if answer.confirm:
        note("that is nobody or everybody: publishing asks for --confirm")


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
            print(event.resume_token, post.entity_id, post.variants[0].title, sep="\t", flush=True)


@app.command()
@sync
async def read(post: str, caller: As = None) -> None:
    """Shows a post, which is read then."""
    async with connect(caller) as client:
        found = (await client.news.GetPost(service_pb2.GetPostRequest(post_id=post))).post
        await client.news.MarkRead(service_pb2.MarkReadRequest(request_id=str(uuid4()), post_ids=[post]))
    print(f"{found.variants[0].title}\n\n{found.variants[0].body}")


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
async def comment(post: str, text: str, caller: As = None) -> None:
    """Says something about a post to all its readers, and prints the comment's id."""
    request = service_pb2.AddCommentRequest(request_id=str(uuid4()), post_id=post, text=text)
    async with connect(caller) as client:
        print((await client.news.AddComment(request)).comment.comment_id)


@app.command()
@sync
async def comments(post: str, caller: As = None) -> None:
    """Shows what readers say about a post, and how they react to it."""
    async with connect(caller) as client:
        answer = await client.news.ListComments(service_pb2.ListCommentsRequest(post_id=post))
        reactions = await client.news.GetReactions(service_pb2.GetReactionsRequest(post_id=post))
    table(
        ("comment", "at", "who", "", "text"),
        (
            (each.comment_id, each.at.ToJsonString(), each.person_id, "hidden" if each.hidden else "", each.text)
            for each in answer.comments
        ),
    )
    names = (f"{each.count} {_reaction_name(each.reaction)}" for each in reactions.counts)
    note(", ".join(names) or "no reactions")


@app.command()
@sync
async def react(
    post: str,
    how: Annotated[str, typer.Argument(help="like, thanks, celebrate, support, insightful or none")],
    caller: As = None,
) -> None:
    """Reacts to a post."""
    try:
        reaction = news_pb2.Reaction.Value("REACTION_UNSPECIFIED" if how == "none" else f"REACTION_{how.upper()}")
    except ValueError:
        raise Invalid(f"there is no reaction {how}") from None
    async with connect(caller) as client:
        await client.news.React(service_pb2.ReactRequest(request_id=str(uuid4()), post_id=post, reaction=reaction))


@app.command()
@sync
async def moderate(
    comment_id: str,
    reason: Annotated[str, typer.Option(help="Why it is hidden.")] = "",
    show: Annotated[bool, typer.Option("--show", help="Show it again.")] = False,
    caller: As = None,
) -> None:
    """Hides a comment, or shows it again."""
    request = service_pb2.ModerateCommentRequest(
        request_id=str(uuid4()), comment_id=comment_id, hide=not show, reason=reason
    )
    async with connect(caller) as client:
        await client.news.ModerateComment(request)


@app.command()
@sync
async def subscribe(caller: As = None) -> None:
    """Prints the secret paths under which the caller's feed is served; the ones before end."""
    request = service_pb2.CreateFeedTokenRequest(request_id=str(uuid4()))
    async with connect(caller) as client:
        token = (await client.news.CreateFeedToken(request)).token
    print(f"/feeds/{token}.atom\n/feeds/{token}.json")


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
def verify(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False)],
    key: Annotated[str, typer.Option(help="The public key of the installation, base64.")],
) -> None:
    """Verifies a signed roll, without a connection to anything."""
    found = rolls.verify(file, key)
    console.print(
        f"holds: version {found.post['version']} of {found.post['post']}, "
        f"{found.post['acknowledged']} of {found.post['readers']} have acknowledged"
    )


def _request(
    title: str, file: Path, audience: str, acknowledge_within: int, locale: str
) -> service_pb2.CreatePostRequest:
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
    return request


def _publication(post: news_pb2.Post, *, confirm: bool) -> service_pb2.PublishPostRequest:
    return service_pb2.PublishPostRequest(
        request_id=str(uuid4()), post_id=post.post_id, etag=post.etag, confirm_audience=confirm
    )


def _item(item: service_pb2.FeedItem) -> tuple[object, ...]:
    post = item.post
    asked = ("yes" if item.acknowledged else f"until {post.acknowledge_by.ToJsonString()}") if post.mandatory else "-"
    return post.post_id, post.entity_id, post.variants[0].title, "yes" if item.read else "no", asked


def _reaction_name(reaction: news_pb2.Reaction.ValueType) -> str:
    return news_pb2.Reaction.Name(reaction).removeprefix("REACTION_").lower()


def _figure(count: service_pb2.ReachCount, name: str) -> object:
    return getattr(count, name) if count.HasField(name) else "-"  # type: ignore[arg-type]
