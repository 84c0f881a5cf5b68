"""How much may be handed in, by whom: client address, reverse path, authenticated principal, entity of the sender."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Literal

from mail_routing.domain.pace import Pace

RateOf = Literal["client", "sender", "principal", "entity"]


@dataclass(frozen=True, slots=True)
class Rate:
    """In a minute; 0: any number."""

    mails: int = 0
    recipients: int = 0
    octets: int = 0

    def shared(self, among: int) -> "Rate":
        """The part of each of so many, rounded up: where there is a limit, none is without."""
        return Rate(*(-(-getattr(self, field.name) // among) for field in fields(self)))


Who = Mapping[RateOf, str]
"""Those whom a mail counts for; whoever is not known is left out."""


class Quotas:
    """Counts what was handed in. The last mail or recipient may go a little beyond: octets are known afterwards."""

    def __init__(self, rates: Mapping[RateOf, Rate]) -> None:
        self._paces: dict[tuple[RateOf, str], Pace] = {
            (of, field.name): Pace(allowed)
            for of, rate in rates.items()
            for field in fields(rate)
            if (allowed := getattr(rate, field.name))
        }

    def over(self, who: Who, now: float, *units: str) -> bool:
        """Whether one of them has had their share of one of the units, "mails", "recipients" or "octets"."""
        return any(pace.over(key, now) for pace, key in self._of(who, units))

    def spend(self, who: Who, now: float, **amounts: int) -> None:
        for unit, amount in amounts.items():
            for pace, key in self._of(who, (unit,)):
                pace.spend(key, amount, now)

    def _of(self, who: Who, units: tuple[str, ...]) -> Iterator[tuple[Pace, str]]:
        for (of, unit), pace in self._paces.items():
            if unit in units and (key := who.get(of)):
                yield pace, key
