"""Use cases: a reader's feed for programs that know no tokens of ours, under a secret address."""

import hashlib
from dataclasses import dataclass
from itertools import islice
from typing import Final

from errors import NotFound
from rossio.directory.v1.directory_pb2 import PERSON_STATE_ACTIVE, Person
from rpc import Caller

from news.application.list_feed import is_wanted
from news.application.ports import FeedTokens, Tastes
from news.application.reading import Reading
from news.domain.post import Post
from news.domain.syndication import Entry

_ENTRIES: Final = 50


@dataclass(frozen=True, slots=True)
class Syndicate:
    """Only a digest of the address is kept, one a person."""

    reading: Reading
    tastes: Tastes
    tokens: FeedTokens

    async def open(self, caller: Caller, token: str) -> None:
        """Serves the caller's feed under the token, and under none before."""
        await self.tokens.put(self.reading.person(caller).person_id, _digest(token))

    async def close(self, caller: Caller) -> None:
        await self.tokens.end(self.reading.person(caller).person_id)

    async def read(self, token: str) -> tuple[Person, list[Entry]]:
        """Whose feed it is, and its latest posts, newest first.

        Raises:
            NotFound: no feed has this address, or its reader works here no more.
        """
        person_id = await self.tokens.owner(_digest(token))
        person = self.reading.view.person(person_id) if person_id else None
        if person is None or person.state != PERSON_STATE_ACTIVE:
            raise NotFound("no such feed", reason="FEED_NOT_FOUND")
        taste = await self.tastes.get(person.person_id)
        posts = (post for post in self.reading.feed.read(person.number) if is_wanted(post, taste))
        return person, [self._entry(post, person) for post in islice(posts, _ENTRIES)]

    def _entry(self, post: Post, person: Person) -> Entry:
        assert post.live is not None
        content = post.for_reader(person.locale).content
        variant = content.variants[0]
        entity = self.reading.view.entity(post.entity_id)
        return Entry(
            post_id=post.post_id,
            title=variant.title,
            html=variant.html,
            locale=variant.locale,
            author=entity.name if entity else post.entity_id,
            category=content.category,
            published=(*post.live.earlier, post.live.published_at)[0],
            updated=post.live.published_at,
        )


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
