"""Mail exchangers of a domain (RFC 5321 section 5, RFC 7505), by a caching resolver."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from itertools import islice

import dns.asyncresolver
import dns.exception
import dns.name
import dns.nameserver
import dns.rdtypes.ANY.MX
import dns.resolver

from mail_routing.domain.delivery import Result, State

_MOST_ADDRESSES = 8
_SECONDS = 10.0


class NoWay(Exception):
    """No server is known for the hop; `result` is what that means for the recipients."""

    def __init__(self, result: Result) -> None:
        super().__init__(result.reply)
        self.result = result


def resolver(servers: Sequence[tuple[str, int]] = ()) -> dns.asyncresolver.Resolver:
    """One that keeps answers as long as they say; with no servers given it asks the machine's."""
    made = dns.asyncresolver.Resolver(configure=not servers)
    if servers:
        made.nameservers = [dns.nameserver.Do53Nameserver(address, port) for address, port in servers]
    made.cache = dns.resolver.LRUCache(50_000)
    made.lifetime = _SECONDS
    return made


class MailExchangers:
    """`hostname` is our own name: exchangers that are no better than ourselves are left out."""

    def __init__(
        self,
        asked: dns.asyncresolver.Resolver,
        hostname: str,
        *,
        shuffle: Callable[[Sequence[str]], list[str]],
    ) -> None:
        self._resolver = asked
        self._hostname = hostname.lower().rstrip(".")
        self._shuffle = shuffle

    async def of(self, domain: str) -> list[tuple[str, str]]:
        """(host, address) in the order to try them, at most eight; `NoWay` when there is none."""
        if domain.startswith("["):
            literal = domain.strip("[]").removeprefix("IPv6:")
            return [(literal, literal)]
        try:
            name = dns.name.from_text(domain)
        except (dns.exception.DNSException, UnicodeError):
            raise _for_good("5.1.2", "The domain is no name of the DNS") from None
        try:
            return await self._of(name)
        except dns.resolver.NXDOMAIN:
            raise _for_good("5.1.2", "There is no such domain") from None
        except dns.exception.DNSException as trouble:
            raise NoWay(Result(State.DEFERRED, "4.4.3", f"The DNS does not answer: {type(trouble).__name__}")) from None

    async def _of(self, domain: dns.name.Name) -> list[tuple[str, str]]:
        hosts = await self._hosts(domain)
        found: list[tuple[str, str]] = []
        trouble: dns.exception.DNSException | None = None
        for host in islice(hosts, _MOST_ADDRESSES):
            for answer in await self._addresses(host):
                if isinstance(answer, dns.exception.DNSException):
                    trouble = answer
                elif isinstance(answer, BaseException):
                    raise answer
                else:
                    found += [(host, address) for address in answer]
            if len(found) >= _MOST_ADDRESSES:
                break
        if not found and trouble:
            raise trouble
        if not found:
            raise _for_good("5.4.4", "The mail servers of the domain have no addresses")
        return found[:_MOST_ADDRESSES]

    async def _hosts(self, domain: dns.name.Name) -> Iterator[str]:
        try:
            answer = await self._resolver.resolve(domain, "MX")
        except dns.resolver.NoAnswer:
            return iter([_text(domain)])  # the domain is its own exchanger
        by_preference: defaultdict[int, list[str]] = defaultdict(list)
        for record in answer:
            assert isinstance(record, dns.rdtypes.ANY.MX.MX)
            by_preference[record.preference].append(_text(record.exchange))
        if list(by_preference.values()) == [[""]]:
            raise _for_good("5.1.10", "The domain takes no mail")
        ours = min((p for p, hosts in by_preference.items() if self._hostname in hosts), default=None)
        better = [p for p in sorted(by_preference) if ours is None or p < ours]
        if not better:
            raise _for_good("5.4.6", "The mail goes round: the domain's mail server is this one")
        return (host for preference in better for host in self._shuffle(by_preference[preference]) if host)

    async def _addresses(self, host: str) -> Sequence[list[str] | BaseException]:
        """Of both families; trouble with one does not hide the other."""
        asked = (self._records(host, kind) for kind in ("AAAA", "A"))
        return await asyncio.gather(*asked, return_exceptions=True)

    async def _records(self, host: str, kind: str) -> list[str]:
        try:
            answer = await self._resolver.resolve(dns.name.from_text(host), kind)
        except (dns.resolver.NoAnswer, dns.resolver.NXDOMAIN):
            return []
        return [record.to_text() for record in answer]


def _text(name: dns.name.Name) -> str:
    return name.to_text(omit_final_dot=True).lower().rstrip(".")


def _for_good(status: str, reason: str) -> NoWay:
    return NoWay(Result(State.BOUNCED, status, reason))
