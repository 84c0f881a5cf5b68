"""What an editor writes: the texts of a post, whom it is for, and what is decided about it."""

import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from errors import Invalid

from news.domain.alert import Alert
from news.domain.text import Variant

_CATEGORY = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
# All texts with their HTML: a published post travels whole in one event, of at most 1 MiB.
_TEXT_BYTES: Final = 500_000
_MOST_APPROVALS: Final = 10


class AudienceKind(StrEnum):
    """What happens to the audience after publishing."""

    FROZEN = "frozen"
    """Who it was then: joiners stay out, movers stay in."""
    LIVE = "live"
    """Whom the expression means now: joiners and movers come in and go out with it."""


@dataclass(frozen=True, slots=True)
class Attachment:
    """A document that belongs to a post, and the name that readers see of it."""

    node_id: str
    name: str


@dataclass(frozen=True, slots=True)
class Content:
    """Everything about a post that an editor decides.

    `audience` is an expression of the directory view in its canonical form, `acknowledge_by` until when a
    mandatory post has to be acknowledged, `approvals` how many approvers it needs.
    """

    variants: tuple[Variant, ...]
    audience: str
    audience_kind: AudienceKind = AudienceKind.FROZEN
    mandatory: bool = False
    acknowledge_by: datetime | None = None
    approvals: int = 0
    expire_at: datetime | None = None
    category: str = ""
    pinned: bool = False
    comments_closed: bool = False
    attachments: tuple[Attachment, ...] = ()
    alert: Alert | None = None

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
        if self.category and not _CATEGORY.fullmatch(self.category):
            raise Invalid("a category is words of a-z and 0-9 with hyphens between", reason="CATEGORY_MALFORMED")
        if self.approvals > _MOST_APPROVALS:
            raise Invalid(f"a post needs at most {_MOST_APPROVALS} approvals", reason="TOO_MANY_APPROVALS")
