"""Use case: an editor takes out the roll of a post: who has acknowledged it and who has not, signed."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime

from directory_view import Bitmap, View
from errors import Invalid
from rpc import Caller

from news.application.audiences import Audiences
from news.application.editing import editable
from news.application.ports import MarkKind, Marks, Posts, RollSigner, Taken
from news.domain import roll
from news.domain.post import Post


@dataclass(frozen=True, slots=True)
class DownloadRoll:
    posts: Posts
    marks: Marks
    audiences: Audiences
    view: View
    signer: RollSigner

    async def __call__(self, caller: Caller, post_id: str, at: datetime) -> AsyncIterator[bytes]:
        """The lines of the roll, of people who acknowledged among them those who have left since.

        Raises:
            NotFound: no such post in the caller's entity.
            Invalid: it was never published.
        """
        post = await editable(self.posts, caller, post_id)
        if post.live is None:
            raise Invalid("a post that was never published has no roll", reason="NEVER_PUBLISHED")
        taken = await self._taken(post)
        readers = self.audiences.working(post.live) | Bitmap(taken)
        lines = [
            roll.head(post.post_id, post.entity_id, post.live, len(readers), len(taken), at, self.signer.public_key),
            *(
                roll.line(person.person_id, person.entity_id, person.unit_id, _mark(taken.get(person.number)))
                for person in self.view.people(readers)
            ),
        ]
        for each in lines:
            yield each
        yield roll.signature(self.signer.sign(lines))

    async def _taken(self, post: Post) -> dict[int, Taken]:
        """The first acknowledgement of each person."""
        first: dict[int, Taken] = {}
        async for taken in self.marks.taken(MarkKind.ACKNOWLEDGED, post.post_id, post.text_version):
            held = first.get(taken.number)
            if held is None or taken.at < held.at:
                first[taken.number] = taken
        return first


def _mark(taken: Taken | None) -> tuple[datetime, str] | None:
    return (taken.at, taken.delegate_id) if taken else None
