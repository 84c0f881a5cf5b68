"""Use case: an editor looks whom an audience expression holds."""

from dataclasses import dataclass

from directory_view import View

_SAMPLE = 10


@dataclass(frozen=True, slots=True)
class Preview:
    """How many people, and the ids of some of them, spread evenly over all."""

    size: int
    sample: list[str]


@dataclass(frozen=True, slots=True)
class PreviewAudience:
    view: View

    def __call__(self, expression: str) -> Preview:
        people = self.view.audience(expression)
        step = max(1, len(people) // _SAMPLE)
        numbers = people[: step * _SAMPLE : step]
        sample = [person.person_id for number in numbers if (person := self.view.by_number(number)) is not None]
        return Preview(size=len(people), sample=sample)
