"""A post: its texts, its audience, and what may be done with it when."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Self

from directory_view import Bitmap
from errors import Conflict, Invalid

from news.domain.markup import to_html

_LOCALE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*")
_TITLE_CHARACTERS = 200
# All texts with their HTML: a published post travels whole in one event, of at most 1 MiB.
_TEXT_BYTES = 500_000


class State(StrEnum):
    """Where a post is in its life; it never goes back."""

    DRAFT = "draft"
    PUBLISHED = "published"
    RETRACTED = "retracted"


@dataclass(frozen=True, slots=True)
class Variant:
    """The text in one language: `body` is CommonMark, `html` the clean HTML made from it."""

    locale: str
    title: str
    body: str
    html: str

    @classmethod
    def of(cls, locale: str, title: str, body: str) -> Self:
        """Checks the text and renders it.

        Raises:
            Invalid: no language tag (BCP 47), a title that is blank or too long, or a blank body.
        """
        title = " ".join(title.split())
        if not _LOCALE.fullmatch(locale):
            raise Invalid("the locale is not a language tag", reason="LOCALE_MALFORMED", locale=locale)
        if not 0 < len(title) <= _TITLE_CHARACTERS:
            raise Invalid(f"a title has 1 to {_TITLE_CHARACTERS} characters", reason="TITLE_LENGTH", locale=locale)
        if not body.strip():
            raise Invalid("the body is blank", reason="BODY_BLANK", locale=locale)
        return cls(locale=locale, title=title, body=body, html=to_html(body))


@dataclass(frozen=True, slots=True)
class Content:
    """What an editor writes: everything about a post that a draft may still change."""

    variants: tuple[Variant, ...]
    # An audience expression of the directory view.
    audience: str
    mandatory: bool = False
    # Until when a mandatory post has to be acknowledged.
    acknowledge_by: datetime | None = None

    def __post_init__(self) -> None:
        if not self.variants:
            raise Invalid("a post needs a text", reason="NO_VARIANT")
        locales = [variant.locale.lower() for variant in self.variants]
        if len(set(locales)) != len(locales):
            raise Invalid("two texts are in the same language", reason="LOCALE_TWICE")
        if sum(len(each.body.encode()) + len(each.html.encode()) for each in self.variants) > _TEXT_BYTES:
            raise Invalid(f"all texts together have more than {_TEXT_BYTES} bytes", reason="TEXT_TOO_LARGE")
        if self.acknowledge_by is not None and not self.mandatory:
            raise Invalid("only a mandatory post has a date to acknowledge it by", reason="DEADLINE_WITHOUT_DUTY")


@dataclass(frozen=True, slots=True)
class Post:
    """One piece of news.

    `people` is the audience as it was when the post was published: numbers of the directory, frozen.
    `version` counts all writes of the post and is its etag, `text_version` the published texts.
    `request` names the write that made this version, so that its repetition is recognised.
    """

    post_id: str
    entity_id: str
    author_id: str
    content: Content
    state: State = State.DRAFT
    people: Bitmap = field(default_factory=Bitmap)
    published_at: datetime | None = None
    text_version: int = 0
    version: int = 1
    request: str = ""

    @property
    def etag(self) -> str:
        return str(self.version)

    def revised(self, content: Content) -> Self:
        """The draft with other content."""
        self._must_be(State.DRAFT)
        return replace(self, content=content)

    def published(self, people: Bitmap, at: datetime) -> Self:
        """The post in the feeds of `people`.

        Raises:
            Invalid: the audience is empty, or the date to acknowledge by has passed.
            Conflict: it is not a draft any more.
        """
        self._must_be(State.DRAFT)
        if not people:
            raise Invalid("the audience holds nobody", reason="AUDIENCE_EMPTY", audience=self.content.audience)
        if self.content.acknowledge_by is not None and self.content.acknowledge_by <= at:
            raise Invalid("the date to acknowledge by has passed", reason="DEADLINE_PAST")
        return replace(self, state=State.PUBLISHED, people=people, published_at=at, text_version=self.text_version + 1)

    def retracted(self) -> Self:
        """The post taken back: in no feed any more."""
        self._must_be(State.PUBLISHED)
        return replace(self, state=State.RETRACTED)

    def may_be_read_by(self, number: int) -> bool:
        """Whether the person with this number is among its readers now."""
        return self.state is State.PUBLISHED and number in self.people

    def for_reader(self, locale: str) -> Self:
        """The post with the one text that suits the reader best."""
        return replace(self, content=replace(self.content, variants=(choose(self.content.variants, locale),)))

    def _must_be(self, state: State) -> None:
        if self.state is not state:
            raise Conflict(f"the post is {self.state}, not {state}", reason="POST_STATE", state=self.state)


def choose(variants: Sequence[Variant], locale: str) -> Variant:
    """The variant in `locale`, else in its language, else the first (RFC 4647, lookup)."""
    wanted = locale.lower()
    for variant in variants:
        if variant.locale.lower() == wanted:
            return variant
    language = wanted.partition("-")[0]
    return next((each for each in variants if each.locale.lower().partition("-")[0] == language), variants[0])
