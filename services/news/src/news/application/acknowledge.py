"""Use case: a reader confirms to have read one version of a post."""

from dataclasses import dataclass
from datetime import datetime

import telemetry
from directory_view import View
from errors import Conflict
from rpc import Caller

from news.application.ports import Acknowledgement, Acknowledgements, Posts
from news.application.reading import must_be_readable, reader
from news.domain.feed import Feed

_acknowledged = telemetry.names.NEWS_ACKNOWLEDGED.bind()


@dataclass(frozen=True, slots=True)
class Acknowledge:
    posts: Posts
    acknowledgements: Acknowledgements
    view: View
    feed: Feed

    async def __call__(self, caller: Caller, post_id: str, *, text_version: int, at: datetime) -> None:
        """Takes the acknowledgement in, once.

        Raises:
            NotFound: the caller is not in the audience.
            Conflict: it is not the current version.
        """
        person = reader(self.view, caller)
        post = self.feed.get(post_id) or await self.posts.get(post_id)
        must_be_readable(post, person)
        if text_version != post.text_version:
            raise Conflict(
                "only the current version can be acknowledged", reason="TEXT_VERSION", current=str(post.text_version)
            )
        new = await self.acknowledgements.add(
            Acknowledgement(
                post_id=post.post_id,
                text_version=text_version,
                entity_id=post.entity_id,
                person_id=person.person_id,
                number=person.number,
                at=at,
            )
        )
        telemetry.points.reached("news.post.acknowledged")
        if new:
            _acknowledged.inc()
