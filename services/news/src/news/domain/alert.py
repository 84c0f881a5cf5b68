"""Emergency alerts in the words of the Common Alerting Protocol 1.2 (OASIS, 1 July 2010)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from errors import Invalid

# Section 3.2.2 of the standard, as it writes them.
WORDS: Final[Mapping[str, frozenset[str]]] = {
    "category": frozenset(
        {"Geo", "Met", "Safety", "Security", "Rescue", "Fire", "Health", "Env", "Transport", "Infra", "CBRNE", "Other"}
    ),
    "urgency": frozenset({"Immediate", "Expected", "Future", "Past", "Unknown"}),
    "severity": frozenset({"Extreme", "Severe", "Moderate", "Minor", "Unknown"}),
    "certainty": frozenset({"Observed", "Likely", "Possible", "Unlikely", "Unknown"}),
}


@dataclass(frozen=True, slots=True)
class Alert:
    """What an alert says beside its text: `event` is what happens, `area` where, for people.

    `source` names the alert that came from outside, as CAP refers to it: "sender,identifier,sent".
    """

    category: str
    urgency: str
    severity: str
    certainty: str
    event: str
    area: str
    source: str = ""

    def __post_init__(self) -> None:
        for element, words in WORDS.items():
            said = getattr(self, element)
            if said not in words:
                raise Invalid(
                    f"{element} is one of {', '.join(sorted(words))}", reason="ALERT_WORD", element=element, said=said
                )
        if not self.event.strip() or not self.area.strip():
            raise Invalid("an alert says what happens and where", reason="ALERT_INCOMPLETE")
