"""Use case: an editor has a post published later."""

from dataclasses import dataclass
from datetime import datetime

from rpc import Caller

from news.application.audiences import Audiences
from news.application.editing import Editing
from news.application.ports import Change
from news.domain.post import Post


@dataclass(frozen=True, slots=True)
class SchedulePost:
    edit: Editing
    audiences: Audiences

    async def __call__(
        self,
        caller: Caller,
        post_id: str,
        publish_at: datetime,
        *,
        confirmed: bool,
        etag: str,
        request: str,
        at: datetime,
    ) -> Post:
        """The audience is evaluated when the time has come; raises as `Editing` and `Post.scheduled` do."""

        def act(post: Post) -> Post:
            people = self.audiences.evaluate(post.content.audience)
            return post.scheduled(publish_at, people, self.audiences.everybody, at, confirmed=confirmed)

        return await self.edit(post_id, Change("schedule", caller, at), act, request=request, etag=etag)
