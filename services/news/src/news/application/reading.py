"""What every reader's use case begins with."""

from dataclasses import dataclass

from directory_view import View
from errors import Conflict, NotAllowed, NotFound
from rossio.directory.v1.directory_pb2 import PERSON_STATE_ACTIVE, Person
from rpc import Caller

from news.application.ports import MarkKind, Marks, Posts
from news.domain.feed import Feed
from news.domain.post import Post


@dataclass(frozen=True, slots=True)
class Opened:
    """A post as a reader sees it, and what they have done with its version."""

    post: Post
    acknowledged: bool
    read: bool


@dataclass(frozen=True, slots=True)
class Reading:
    """Who reads, and what they may."""

    posts: Posts
    marks: Marks
    view: View
    feed: Feed

    def person(self, caller: Caller) -> Person:
        """The person who is reading; raises NotAllowed for somebody who does not work in the ministry."""
        person = self.view.person(caller.subject)
        if person is None or person.state != PERSON_STATE_ACTIVE:
            raise NotAllowed("only people of the directory have a feed", reason="NOT_IN_DIRECTORY")
        return person

    async def post(self, person: Person, post_id: str) -> Post:
        """A post of the person's; to all but its audience it does not exist: raises NotFound."""
        post = self.feed.get(post_id) or await self.put_away(post_id)
        if not self.feed.holds(post, person.number):
            raise NotFound("no such post", reason="POST_NOT_FOUND")
        return post

    async def put_away(self, post_id: str) -> Post:
        """A post that may be in no feed, and what readers did with it; raises NotFound."""
        post = await self.posts.get(post_id)
        await self.marks.recall(post_id, post.text_version)
        return post

    def opened(self, post: Post, person: Person) -> Opened:
        """The post in the person's language."""
        acknowledged = self._did(MarkKind.ACKNOWLEDGED, post, person)
        return Opened(post.for_reader(person.locale), acknowledged, read=acknowledged or self.has_read(post, person))

    def has_read(self, post: Post, person: Person) -> bool:
        """The version that is published; what was acknowledged was read."""
        return self._did(MarkKind.READ, post, person) or self._did(MarkKind.ACKNOWLEDGED, post, person)

    def _did(self, kind: MarkKind, post: Post, person: Person) -> bool:
        return person.number in self.marks.held(kind, post.post_id, post.text_version)


def must_be_current(post: Post, text_version: int) -> None:
    """Raises Conflict for a version that is no longer, or not yet, what readers see."""
    if text_version != post.text_version:
        raise Conflict("that is not the current version", reason="TEXT_VERSION", current=str(post.text_version))
