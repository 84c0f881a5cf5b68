"""What readers say about a post."""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Self

from errors import Conflict, Invalid


class Reaction(StrEnum):
    """What a reader thinks of a post; one each."""

    LIKE = "like"
    THANKS = "thanks"
    CELEBRATE = "celebrate"
    SUPPORT = "support"
    INSIGHTFUL = "insightful"


class Standing(StrEnum):
    """Whether a comment is seen."""

    VISIBLE = "visible"
    HIDDEN = "hidden"
    """By a moderator: its author still sees it, and why."""
    DELETED = "deleted"
    """By its author: nobody sees it."""


@dataclass(frozen=True, slots=True)
class Comment:
    """Plain text about a post of `entity_id`; `reply_to` is another comment of the post, or empty."""

    comment_id: str
    post_id: str
    entity_id: str
    person_id: str
    text: str
    at: datetime
    reply_to: str = ""
    standing: Standing = Standing.VISIBLE
    reason: str = ""
    version: int = 1

    def __post_init__(self) -> None:
        if not self.text.strip():
            raise Invalid("the comment is blank", reason="COMMENT_BLANK")

    def deleted(self) -> Self:
        """Taken back by its author, hidden or not."""
        return replace(self, standing=Standing.DELETED)

    def moderated(self, reason: str, *, hide: bool) -> Self:
        """Hidden with a reason, or shown again.

        Raises:
            Invalid: it is hidden without a reason.
            Conflict: its author has taken it back.
        """
        if self.standing is Standing.DELETED:
            raise Conflict("its author has taken it back", reason="COMMENT_DELETED")
        if hide and not reason.strip():
            raise Invalid("who hides a comment says why", reason="REASON_MISSING")
        return replace(self, standing=Standing.HIDDEN if hide else Standing.VISIBLE, reason=reason if hide else "")
