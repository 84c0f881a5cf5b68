"""A post: where it is in its life, and what may be done with it when.

The text in hand and the text that readers see are two: a published post is edited, reviewed and published
again while its readers go on reading the version before.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, Self

from directory_view import Bitmap
from errors import Conflict, Invalid, NotAllowed

from news.domain import accessibility
from news.domain.content import Content
from news.domain.text import choose


class State(StrEnum):
    """What was decided last."""

    DRAFT = "draft"
    IN_REVIEW = "in_review"
    APPROVED = "approved"
    SCHEDULED = "scheduled"
    PUBLISHED = "published"
    RETRACTED = "retracted"
    EXPIRED = "expired"
    ARCHIVED = "archived"


# Once there a post stays there; its id is never in a feed again.
_ENDS: Final = frozenset({State.RETRACTED, State.EXPIRED, State.ARCHIVED})


@dataclass(frozen=True, slots=True)
class Approval:
    """One approver's word on the text in hand."""

    person_id: str
    at: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class Live:
    """What readers see: one version of the texts, and its audience.

    `people` is the audience as it was when the version was published: numbers of the directory. Of a live
    audience it is where it began. `reminders` counts those that were sent, `earlier` is when the versions before
    were published.
    """

    content: Content
    people: Bitmap
    published_at: datetime
    text_version: int
    reminders: int = 0
    earlier: tuple[datetime, ...] = ()


@dataclass(frozen=True, slots=True)
class Post:
    """One piece of news.

    `content` is the text in hand and `live` what was published last. `editors` have written the text in hand,
    `audience_size` is how many its audience was when it was last evaluated. `version` counts all writes and is
    the etag; `request` names the write that made it, so that its repetition is recognised.
    """

    post_id: str
    entity_id: str
    author_id: str
    content: Content
    state: State = State.DRAFT
    editors: tuple[str, ...] = ()
    approvals: tuple[Approval, ...] = ()
    audience_size: int = 0
    publish_at: datetime | None = None
    # An editor has said that it may go to nobody, or to everybody.
    confirmed: bool = False
    live: Live | None = None
    version: int = 1
    request: str = ""

    @property
    def etag(self) -> str:
        return str(self.version)

    @property
    def text_version(self) -> int:
        """Counts the published texts."""
        return self.live.text_version if self.live else 0

    @property
    def in_feeds(self) -> bool:
        return self.live is not None and self.state not in _ENDS

    @property
    def may_be_opened(self) -> bool:
        """By its audience: what was archived is out of the feeds and can still be looked up."""
        return self.in_feeds or (self.live is not None and self.state is State.ARCHIVED)

    # The way to publication

    def revised(self, content: Content, by: str) -> Self:
        """With another text in hand, which nobody has approved yet."""
        if self.state in _ENDS:
            raise self._conflict("can be edited no more")
        editors = self.editors if self.state is not State.PUBLISHED else ()
        return replace(
            self,
            content=content,
            state=State.DRAFT,
            editors=editors if by in editors else (*editors, by),
            approvals=(),
            publish_at=None,
            confirmed=False,
        )

    def submitted(self) -> Self:
        """Before its approvers."""
        self._must_be(State.DRAFT)
        accessibility.must_pass(self.content.variants)
        return replace(self, state=State.IN_REVIEW, approvals=())

    def approved(self, by: str, reason: str, at: datetime) -> Self:
        """With one more approval; the last one that it needs opens the way.

        Raises:
            NotAllowed: the approver wrote it.
            Conflict: it is not in review, or they approved it before.
        """
        self._must_be(State.IN_REVIEW)
        self._must_not_be_ones_own(by)
        if any(each.person_id == by for each in self.approvals):
            raise Conflict("you have approved it already", reason="APPROVED_ALREADY")
        approvals = (*self.approvals, Approval(by, at, reason))
        enough = len(approvals) >= self.content.approvals
        return replace(self, approvals=approvals, state=State.APPROVED if enough else State.IN_REVIEW)

    def rejected(self, by: str, reason: str) -> Self:
        """Back with its editors."""
        self._must_be(State.IN_REVIEW)
        self._must_not_be_ones_own(by)
        if not reason.strip():
            raise Invalid("a rejection says why", reason="REASON_MISSING")
        return replace(self, state=State.DRAFT, approvals=())

    def scheduled(self, publish_at: datetime, people: Bitmap, everybody: int, at: datetime, *, confirmed: bool) -> Self:
        """To be published at a time to come.

        Raises:
            Invalid: the time has passed, or as `published` does.
        """
        if publish_at <= at:
            raise Invalid("the time to publish has passed", reason="SCHEDULE_PAST")
        self._must_be_ready(people, everybody, publish_at, confirmed=confirmed)
        return replace(
            self, state=State.SCHEDULED, publish_at=publish_at, audience_size=len(people), confirmed=confirmed
        )

    def held(self) -> Self:
        """Its time has come and it cannot be published: back with its editors, its approvals kept."""
        self._must_be(State.SCHEDULED)
        return replace(self, state=self._before_publication(), publish_at=None, confirmed=False)

    def published(self, people: Bitmap, everybody: int, at: datetime, *, confirmed: bool = False) -> Self:
        """With the text in hand in the feeds of `people`.

        Raises:
            Invalid: the audience is nobody or everybody and that is not confirmed, a date is past, or people
                could not read it.
            Conflict: it has not the approvals that it needs, or there is nothing new to publish.
        """
        self._must_be_ready(people, everybody, at, confirmed=confirmed or self.confirmed)
        earlier = (*self.live.earlier, self.live.published_at) if self.live else ()
        live = Live(self.content, people, at, self.text_version + 1, earlier=earlier)
        return replace(self, state=State.PUBLISHED, audience_size=len(people), publish_at=None, live=live)

    # The way out

    def retracted(self) -> Self:
        """Taken back: its readers may not open it any more."""
        return self._ended(State.RETRACTED)

    def archived(self) -> Self:
        """Put away: in no feed, and still there for its readers."""
        return self._ended(State.ARCHIVED)

    def expired(self) -> Self:
        return self._ended(State.EXPIRED)

    # Time

    def due_at(self, before: tuple[timedelta, ...]) -> datetime | None:
        """When time does something to it next; `before` says how long before the deadline readers are reminded."""
        dates = [self.publish_at] if self.publish_at else []
        if self.in_feeds and self.live is not None:
            dates += [each for each in (self.live.content.expire_at, self.reminder_at(before)) if each is not None]
        return min(dates, default=None)

    def reminder_at(self, before: tuple[timedelta, ...]) -> datetime | None:
        """When those who have not acknowledged are reminded next, if ever."""
        if not self.in_feeds or self.live is None or self.live.content.acknowledge_by is None:
            return None
        left = sorted(before, reverse=True)[self.live.reminders :]
        return self.live.content.acknowledge_by - left[0] if left else None

    def reminded(self, before: tuple[timedelta, ...], at: datetime) -> Self:
        """One reminder stands for all whose time has come."""
        assert self.live is not None
        deadline = self.live.content.acknowledge_by
        assert deadline is not None
        due = sum(deadline - each <= at for each in before)
        return replace(self, live=replace(self.live, reminders=due))

    def for_reader(self, locale: str) -> Self:
        """What a reader sees: the version that was published, with the one text that suits them best."""
        assert self.live is not None
        content = self.live.content
        return replace(
            self,
            content=replace(content, variants=(choose(content.variants, locale),)),
            state=self.state if self.state in _ENDS else State.PUBLISHED,
            editors=(),
            approvals=(),
            audience_size=len(self.live.people),
            publish_at=None,
        )

    # Inside

    def _ended(self, state: State) -> Self:
        if not self.in_feeds:
            raise self._conflict("is in no feed")
        return replace(self, state=state, publish_at=None)

    def _must_be_ready(self, people: Bitmap, everybody: int, at: datetime, *, confirmed: bool) -> None:
        ready = {self._before_publication(), State.SCHEDULED}
        if self.state not in ready:
            raise self._conflict("cannot be published")
        for date, reason in ((self.content.acknowledge_by, "DEADLINE_PAST"), (self.content.expire_at, "EXPIRY_PAST")):
            if date is not None and date <= at:
                raise Invalid("a date of the post is not after its publication", reason=reason)
        accessibility.must_pass(self.content.variants)
        if not confirmed and not people:
            raise Invalid(
                "the audience holds nobody: say that this is meant",
                reason="AUDIENCE_EMPTY",
                audience=self.content.audience,
            )
        if not confirmed and len(people) >= everybody:
            raise Invalid(
                "the audience is everybody: say that this is meant", reason="AUDIENCE_EVERYBODY", size=str(len(people))
            )

    def _before_publication(self) -> State:
        return State.APPROVED if self.content.approvals else State.DRAFT

    def _must_not_be_ones_own(self, by: str) -> None:
        if by in self.editors:
            raise NotAllowed("nobody reviews what they wrote", reason="OWN_POST")

    def _must_be(self, state: State) -> None:
        if self.state is not state:
            raise self._conflict(f"is not {state}")

    def _conflict(self, why: str) -> Conflict:
        return Conflict(f"the post is {self.state} and {why}", reason="POST_STATE", state=self.state)
