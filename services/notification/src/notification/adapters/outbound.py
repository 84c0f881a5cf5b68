"""Posts to addresses that people name: only outwards, without following, and for a short time."""

import ipaddress
import socket
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver
from errors import Invalid, Transient

from notification.application.ports import AddressGone, NotTaken

_TIMEOUT: Final = aiohttp.ClientTimeout(total=10, connect=5)
_GONE: Final = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.GONE})
_REFUSALS: Final = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE})


def must_be_outside(url: str, *, private: bool) -> None:
    """Raises Invalid for an address that is not https, or names one of a private network by its number.

    Names are looked up when they are used, since they may come to mean something else. `private` lets all in.
    """
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError as error:
        raise Invalid("the address is none", reason="URL_MALFORMED") from error
    if not host or parts.username or (parts.scheme != "https" and not (private and parts.scheme == "http")):
        raise Invalid("the address is not one of https", reason="URL_MALFORMED")
    if not private and _is_number(host) and not _is_outside(host):
        raise Invalid("the address is in a private network", reason="URL_PRIVATE")


class Outbound:
    """`private` allows private networks and plain http, for development."""

    def __init__(self, *, private: bool) -> None:
        self.private = private
        self._client: aiohttp.ClientSession | None = None

    async def start(self) -> None:
        resolver = None if self.private else _Outside()
        self._client = aiohttp.ClientSession(timeout=_TIMEOUT, connector=aiohttp.TCPConnector(resolver=resolver))

    async def stop(self) -> None:
        if self._client is not None:
            await self._client.close()

    async def post(self, url: str, body: bytes, headers: dict[str, str]) -> None:
        """Returns when it is taken.

        Raises:
            AddressGone: nobody is there any more.
            Invalid: it will never be taken.
            NotTaken: not now.
            Transient: nobody knows.
        """
        assert self._client is not None, "started before the consumers"
        try:
            async with self._client.post(url, data=body, headers=headers, allow_redirects=False) as answer:
                status = answer.status
        except aiohttp.ClientConnectorError as error:
            raise NotTaken("it cannot be reached", reason="ENDPOINT_UNREACHABLE") from error
        except (aiohttp.ClientError, TimeoutError) as error:
            raise Transient("it did not answer", reason="ENDPOINT_UNAVAILABLE") from error
        if status in _GONE:
            raise AddressGone("nobody is there any more", reason="ENDPOINT_GONE")
        if status in _REFUSALS:
            raise Invalid("it is refused", reason="ENDPOINT_REFUSED")
        if not HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
            raise NotTaken(f"it answers {status}", reason="ENDPOINT_BUSY")


class _Outside(AbstractResolver):
    """Looks names up, and knows none of private networks."""

    def __init__(self) -> None:
        self._system = ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = [each for each in await self._system.resolve(host, port, family) if _is_outside(each["host"])]
        if not found:
            raise OSError(None, "no address outside of private networks")
        return found

    async def close(self) -> Any:
        await self._system.close()


def _is_number(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _is_outside(address: str) -> bool:
    return ipaddress.ip_address(address.partition("%")[0]).is_global
