"""A small DNS server on loopback: what a test says is in the zone, and nothing else."""

import asyncio
from collections import Counter
from types import TracebackType
from typing import Self, cast

import dns.exception
import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset


class DnsServer:
    """Answers over UDP. `put("example.org", "MX", "10 mx.example.org.")` adds a record; a name without any is NXDOMAIN.

    `broken` names are answered with SERVFAIL. `asked` counts the questions as "name TYPE". Used as an asynchronous
    context manager; `address` is ("127.0.0.1", port), of a free port unless one is given.
    """

    def __init__(self, port: int = 0, *, ttl: int = 300) -> None:
        self.broken: set[str] = set()
        self.asked: Counter[str] = Counter()
        self.address = ("127.0.0.1", port)
        self._ttl = ttl
        self._records: dict[str, dict[str, list[str]]] = {}
        self._transport: asyncio.DatagramTransport | None = None

    def put(self, name: str, kind: str, *records: str) -> None:
        self._records.setdefault(name, {})[kind] = list(records)

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(lambda: _Protocol(self), local_addr=self.address)
        self.address = self._transport.get_extra_info("sockname")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._transport is not None:
            self._transport.close()

    def answer(self, data: bytes) -> bytes:
        query = dns.message.from_wire(data)
        (question,) = query.question
        name, kind = question.name.to_text(omit_final_dot=True), dns.rdatatype.to_text(question.rdtype)
        self.asked[f"{name} {kind}"] += 1
        response = dns.message.make_response(query)
        response.flags |= dns.flags.RA
        if name in self.broken:
            response.set_rcode(dns.rcode.SERVFAIL)
        elif name not in self._records:
            response.set_rcode(dns.rcode.NXDOMAIN)
        elif records := self._records[name].get(kind):
            response.answer.append(dns.rrset.from_text(question.name, self._ttl, "IN", kind, *records))
        return response.to_wire()


class _Protocol(asyncio.DatagramProtocol):
    def __init__(self, server: DnsServer) -> None:
        self._server = server
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        assert self._transport is not None
        try:
            self._transport.sendto(self._server.answer(data), addr)
        except dns.exception.DNSException:
            return  # no question: no answer
