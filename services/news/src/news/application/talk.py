"""Use cases: readers of a post talk about it, and its entity moderates."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from errors import Conflict, NotFound
from rpc import Caller

from news.application.ports import CommentPage, Comments, Reactions
from news.application.reading import Reading
from news.domain.post import Post
from news.domain.talk import Comment, Reaction, Standing

_MODERATORS: Final = frozenset({"news.editor", "news.moderator"})


@dataclass(frozen=True, slots=True)
class Talk:
    """Whoever may read a post may talk about it, and sees what its readers say; raises NotFound for all others."""

    reading: Reading
    comments: Comments
    reactions: Reactions

    async def say(
        self, caller: Caller, post_id: str, text: str, reply_to: str, *, comment_id: str, at: datetime
    ) -> Comment:
        """Adds a comment; `comment_id` follows from the request, so that its repetition is the same comment.

        Raises:
            Conflict: comments on the post are closed.
            NotFound: what it answers is no comment of the post that is seen.
        """
        post = await self._open(caller, post_id)
        if reply_to:
            answered = await self.comments.get(reply_to)
            if answered.post_id != post_id or answered.standing is not Standing.VISIBLE:
                raise _not_found()
        comment = Comment(comment_id, post_id, post.entity_id, caller.subject, text, at, reply_to)
        return await self.comments.add(comment, caller)

    async def page(self, caller: Caller, post_id: str, after: tuple[datetime, str] | None, limit: int) -> CommentPage:
        """Those that are visible; moderators see the hidden ones too, and authors their own."""
        post = await self._seen(caller, post_id)
        page = await self.comments.page(post_id, (Standing.VISIBLE, Standing.HIDDEN), after, limit)
        if _moderates(caller, post.entity_id):
            return page
        seen = [each for each in page.comments if each.standing is Standing.VISIBLE or each.person_id == caller.subject]
        return CommentPage(seen, page.after)

    async def take_back(self, caller: Caller, comment_id: str, at: datetime) -> None:
        """Raises NotFound for a comment that is not the caller's own."""
        comment = await self.comments.get(comment_id)
        if comment.person_id != caller.subject:
            raise _not_found()
        if comment.standing is not Standing.DELETED:
            await self.comments.replace(comment.deleted(), "delete", caller, at)

    async def moderate(self, caller: Caller, comment_id: str, reason: str, *, hide: bool, at: datetime) -> Comment:
        """Raises NotFound for a comment on a post of another entity, and as `Comment.moderated` does."""
        comment = await self.comments.get(comment_id)
        if not _moderates(caller, comment.entity_id):
            raise _not_found()
        moderated = comment.moderated(reason, hide=hide)
        if moderated == comment:
            return comment
        return await self.comments.replace(moderated, "hide" if hide else "show", caller, at)

    async def react(self, caller: Caller, post_id: str, reaction: Reaction | None) -> None:
        """Puts the caller's reaction in the place of the one before; None takes it back."""
        post = await self._open(caller, post_id)
        await self.reactions.put(post.post_id, self.reading.person(caller).number, reaction)

    async def counts(self, caller: Caller, post_id: str) -> tuple[dict[Reaction, int], Reaction | None]:
        """How many reacted how, and how the caller did."""
        await self._seen(caller, post_id)
        number = self.reading.person(caller).number
        found = await self.reactions.get(post_id)
        own = next((reaction for reaction, people in found.items() if number in people), None)
        return {reaction: len(people) for reaction, people in found.items() if people}, own

    async def _seen(self, caller: Caller, post_id: str) -> Post:
        post = await self.reading.posts.get(post_id)
        if _moderates(caller, post.entity_id):
            return post
        return await self.reading.post(self.reading.person(caller), post_id)

    async def _open(self, caller: Caller, post_id: str) -> Post:
        post = await self.reading.post(self.reading.person(caller), post_id)
        if post.live is None or post.live.content.comments_closed:
            raise Conflict("nobody talks about this post", reason="COMMENTS_CLOSED")
        return post


def _moderates(caller: Caller, entity_id: str) -> bool:
    return bool(_MODERATORS & caller.roles) and caller.may_act_for(entity_id)


def _not_found() -> NotFound:
    return NotFound("no such comment", reason="COMMENT_NOT_FOUND")
