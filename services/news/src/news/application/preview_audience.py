"""Use case: an editor looks whom an audience expression holds."""

from dataclasses import dataclass
from typing import Final

from directory_view import View

from news.application.audiences import Audiences

_SAMPLE: Final = 10


@dataclass(frozen=True, slots=True)
class Preview:
    """How many people, and the ids of some of them, spread evenly over all.

    `audience` is the expression in the form that is saved and evaluated; `confirm` whether it means nobody or
    everybody, so that publishing asks.
    """

    audience: str
    size: int
    sample: list[str]
    confirm: bool


@dataclass(frozen=True, slots=True)
class PreviewAudience:
    view: View
    audiences: Audiences

    def __call__(self, expression: str) -> Preview:
        """Raises Invalid for an expression that cannot be read."""
        expression = self.audiences.canonical(expression)
        people = self.audiences.evaluate(expression)
        step = max(1, len(people) // _SAMPLE)
        sample = [person.person_id for person in self.view.people(people[: step * _SAMPLE : step])]
        size = len(people)
        return Preview(expression, size, sample, confirm=size in {0, self.audiences.everybody})
