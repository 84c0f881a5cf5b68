"""Use case: a reader pages through their feed."""

from dataclasses import dataclass
from itertools import islice

from directory_view import View
from rpc import Caller

from news.application.get_post import Opened
from news.application.ports import Acknowledgements
from news.application.reading import reader
from news.domain.feed import Feed, Position, position


@dataclass(frozen=True, slots=True)
class FeedPage:
    """Some items, newest first; `before` continues behind the last one and is None at the end."""

    items: list[Opened]
    before: Position | None


@dataclass(frozen=True, slots=True)
class ListFeed:
    acknowledgements: Acknowledgements
    view: View
    feed: Feed

    async def __call__(self, caller: Caller, before: Position | None, limit: int) -> FeedPage:
        """The posts whose audience holds the caller, each in the caller's language."""
        person = reader(self.view, caller)
        posts = list(islice(self.feed.read(person.number, before), limit + 1))
        shown = posts[:limit]
        acknowledged = await self.acknowledgements.of(
            person.person_id, [(post.post_id, post.text_version) for post in shown]
        )
        return FeedPage(
            items=[Opened(post.for_reader(person.locale), post.post_id in acknowledged) for post in shown],
            before=position(shown[-1]) if len(posts) > limit else None,
        )
