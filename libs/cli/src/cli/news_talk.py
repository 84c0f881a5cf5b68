"""`rossio news comment, comments, react, moderate`: what readers say about a post."""

from typing import Annotated
from uuid import uuid4

import typer
from errors import Invalid
from rossio.news.v1 import news_pb2, service_pb2

from cli.client import connect
from cli.command import As, note, sync, table

app = typer.Typer()


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


def _reaction_name(reaction: news_pb2.Reaction.ValueType) -> str:
    return news_pb2.Reaction.Name(reaction).removeprefix("REACTION_").lower()
