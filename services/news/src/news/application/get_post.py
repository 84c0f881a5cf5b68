"""Use case: somebody opens a post."""

from dataclasses import dataclass

from directory_view import View
from rpc import Caller

from news.application.ports import Acknowledgements, Posts
from news.application.reading import must_be_readable, reader
from news.domain.post import Post


@dataclass(frozen=True, slots=True)
class Opened:
    """A post, and whether the caller has acknowledged its current version."""

    post: Post
    acknowledged: bool


@dataclass(frozen=True, slots=True)
class GetPost:
    posts: Posts
    acknowledgements: Acknowledgements
    view: View

    async def __call__(self, caller: Caller, post_id: str) -> Opened:
        """An editor of its entity sees it whole and in every state, its audience in their own language.

        Raises:
            NotFound: the caller is neither.
        """
        post = await self.posts.get(post_id)
        if not (caller.has("news.editor") and caller.may_act_for(post.entity_id)):
            person = reader(self.view, caller)
            must_be_readable(post, person)
            post = post.for_reader(person.locale)
        acknowledged = await self.acknowledgements.of(caller.subject, [(post.post_id, post.text_version)])
        return Opened(post, acknowledged=post_id in acknowledged)
