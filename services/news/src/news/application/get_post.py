"""Use case: somebody opens a post."""

from dataclasses import dataclass
from typing import Final

from rpc import Caller

from news.application.reading import Opened, Reading

_MAY_EDIT: Final = frozenset({"news.editor", "news.approver"})


@dataclass(frozen=True, slots=True)
class GetPost:
    reading: Reading

    async def __call__(self, caller: Caller, post_id: str) -> Opened:
        """Editors and approvers of its entity see it whole and in every state, its audience in their own language.

        Raises:
            NotFound: the caller is neither.
        """
        post = await self.reading.put_away(post_id)
        if _MAY_EDIT & caller.roles and caller.may_act_for(post.entity_id):
            person = self.reading.view.person(caller.subject)
            done = self.reading.opened(post, person) if person is not None and post.live is not None else None
            return Opened(post, bool(done and done.acknowledged), bool(done and done.read))
        person = self.reading.person(caller)
        return self.reading.opened(await self.reading.post(person, post_id), person)
