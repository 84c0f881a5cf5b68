"""Use case: what was to happen at a time happens: publication, expiry, reminders."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import telemetry
from errors import Conflict, Invalid
from rpc import Caller

from news.application.audiences import Audiences
from news.application.ports import Change, MarkKind, Marks, Posts
from news.domain.feed import Feed
from news.domain.post import Post, State

_log = telemetry.logger(__name__)
# Time itself, in histories and audits.
_TIME: Final = Caller(subject="news", kind="service", entity_id="", roles=frozenset())


@dataclass(frozen=True, slots=True)
class KeepTime:
    """Several processes may do it at once: each step is written over the version that it was decided on."""

    posts: Posts
    marks: Marks
    audiences: Audiences
    feed: Feed
    # How long before the deadline readers are reminded.
    before: tuple[timedelta, ...]

    async def __call__(self, at: datetime) -> None:
        async for post in self.posts.due(at):
            changed, change = await self._next(post, at)
            telemetry.points.reached("news.time.decided")
            try:
                saved = await self.posts.replace(changed, change, version=post.version)
            except Conflict:
                continue  # another process, or an editor, was first
            telemetry.points.reached("news.time.written")
            self.feed.put(saved)

    async def _next(self, post: Post, at: datetime) -> tuple[Post, Change]:
        """The one thing that is due now; what else is due comes next time."""
        expire_at = post.live.content.expire_at if post.live else None
        if post.state is State.SCHEDULED and post.publish_at is not None and post.publish_at <= at:
            return self._published(post, at)
        if expire_at is not None and expire_at <= at and post.in_feeds:
            return post.expired(), Change("expire", _TIME, at)
        return await self._reminded(post, at)

    def _published(self, post: Post, at: datetime) -> tuple[Post, Change]:
        try:
            people = self.audiences.evaluate(post.content.audience)
            return post.published(people, self.audiences.everybody, at), Change("publish", _TIME, at)
        except Invalid as error:
            _log.warning("a scheduled post is held", reason=error.reason)
            return post.held(), Change("hold", _TIME, at, error.reason)

    async def _reminded(self, post: Post, at: datetime) -> tuple[Post, Change]:
        assert post.live is not None
        acknowledged = await self.marks.numbers(MarkKind.ACKNOWLEDGED, post.post_id, post.text_version)
        missing = self.audiences.working(post.live) - acknowledged
        return post.reminded(self.before, at), Change("remind", _TIME, at, missing=missing)
