"""Use case: an editor puts a post into the feeds of its audience."""

from dataclasses import dataclass
from datetime import datetime

import telemetry
from rpc import Caller

from news.application.audiences import Audiences
from news.application.editing import Editing
from news.application.ports import Change
from news.domain.post import Post

_published = telemetry.names.NEWS_PUBLISHED.bind()


@dataclass(frozen=True, slots=True)
class PublishPost:
    edit: Editing
    audiences: Audiences

    async def __call__(
        self, caller: Caller, post_id: str, *, confirmed: bool, etag: str, request: str, at: datetime
    ) -> Post:
        """Evaluates the audience on the directory as it is now; one write, whoever many read it.

        Raises:
            NotFound, Conflict, Invalid: as `Editing` and `Post.published` do.
        """

        def act(post: Post) -> Post:
            people = self.audiences.evaluate(post.content.audience)
            return post.published(people, self.audiences.everybody, at, confirmed=confirmed)

        saved = await self.edit(post_id, Change("publish", caller, at), act, request=request, etag=etag)
        telemetry.points.reached("news.post.published")
        _published.inc()
        return saved
