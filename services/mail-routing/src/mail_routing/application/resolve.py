"""Resolve: where a mail would go, and why; the code of the route, told step by step."""

from dataclasses import dataclass

from mail_routing.domain import route
from mail_routing.domain.message import Recipient
from mail_routing.domain.route import Destination, Route, Sender, Step

MOST_SHOWN = 1000
_MOST_STEPS = 500


@dataclass(frozen=True, slots=True)
class Explanation:
    """The steps in their order, the first thousand destinations, and how many there are."""

    steps: tuple[Step, ...]
    destinations: tuple[Destination, ...]
    count: int


def resolve(the_route: Route, sender: str, recipient: str) -> Explanation:
    """What would become of a mail that `sender` hands in, authenticated, for `recipient`."""
    steps: list[Step] = []

    def tell(step: Step) -> None:
        if len(steps) < _MOST_STEPS:
            steps.append(step)

    shown: list[Destination] = []
    count = 0
    for destination in route.resolve(the_route, Sender(sender, trusted=True), [Recipient(recipient)], tell):
        count += 1
        if count <= MOST_SHOWN:
            shown.append(destination)
    return Explanation(tuple(steps), tuple(shown), count)
