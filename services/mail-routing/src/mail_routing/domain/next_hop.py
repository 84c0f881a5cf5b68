"""Who takes mail that leaves this service, by name: what a route decides and what waiting mail remembers.

A hop is named "host:port", "connector:<name>" (its hosts, TLS and credentials stand in the settings), or
"mx:<domain>" for whom the DNS names. In tables "mx" stands for the last one, of the domain in question. The name
is also that of the destination site: shaping and back-off are per name.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

MX = "mx"


@dataclass(frozen=True, slots=True)
class NextHops:
    """The tables of hops; "" or nothing is none.

    `mailboxes` holds, by entity, the LMTP servers where its mailboxes lie. `split` takes, by domain of ours, what
    the directory does not know there; `dual` gets a copy of what comes to a mailbox under the domain. Mail for
    other domains goes by domain, else by the sender's entity, else to the smart host.
    """

    by_domain: Mapping[str, str] = field(default_factory=dict)
    smart_host: str = ""
    by_entity: Mapping[str, str] = field(default_factory=dict)
    mailboxes: Mapping[str, str] = field(default_factory=dict)
    split: Mapping[str, str] = field(default_factory=dict)
    dual: Mapping[str, str] = field(default_factory=dict)

    def to(self, domain: str, entity_id: str = "") -> str:
        """The hop for a domain that is not ours."""
        hop = self.by_domain.get(domain) or self.by_entity.get(entity_id) or self.smart_host
        return _named(hop, domain)

    def beside(self, domain: str) -> str:
        """Who knows the addresses of our domain that we do not."""
        return _named(self.split.get(domain, ""), domain)

    def copy(self, domain: str) -> str:
        """Who has a copy of the mail for our domain."""
        return _named(self.dual.get(domain, ""), domain)


def _named(hop: str, domain: str) -> str:
    return f"{MX}:{domain}" if hop == MX else hop


def server(hop: str) -> str:
    """The name to show for a hop where no server has answered yet."""
    kind, _, rest = hop.partition(":")
    return rest if kind in {MX, "connector"} else kind
