"""Where the suite is, who is asking, and a stub of each of its services: one place for every command.

A running embedded stack leaves `.rossio/stack.json` behind, from which the endpoints come and tokens
for its synthetic people can be made. For any other installation `ROSSIO_ENDPOINTS` (for example
`mail-routing=mail.example:443,document=docs.example:443`) and `ROSSIO_TOKEN` say the same, and
`ROSSIO_AUTHORITY`, a file in PEM, who signed the certificates of services that speak TLS.
"""

import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import grpc.aio
import rpc
from devstack import stack_file
from devstack.issuer import Issuer
from errors import Invalid
from rossio.directory.v1 import service_pb2
from rossio.directory.v1.service_pb2_grpc import DirectoryServiceStub
from rossio.document.v1.service_pb2_grpc import (
    ChangeServiceStub,
    DocumentServiceStub,
    KeyServiceStub,
    SearchServiceStub,
    TransferServiceStub,
)
from rossio.governance.v1.dead_letters_pb2_grpc import DeadLetterServiceStub
from rossio.governance.v1.service_pb2_grpc import GovernanceServiceStub
from rossio.mail.v1.moderation_pb2_grpc import ModerationServiceStub
from rossio.mail.v1.queue_pb2_grpc import QueueServiceStub
from rossio.mail.v1.service_pb2_grpc import MailServiceStub
from rossio.news.v1.service_pb2_grpc import NewsServiceStub
from rossio.notification.v1.service_pb2_grpc import BulkServiceStub, NotificationServiceStub, SendServiceStub


class Client:
    """One caller's stubs; a channel is opened when its service is first asked."""

    def __init__(self, endpoints: Mapping[str, str], token: Callable[[], str] | None) -> None:
        self._endpoints = endpoints
        self._token = token
        self._channels: list[grpc.aio.Channel] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for channel in self._channels:
            await channel.close()

    @cached_property
    def directory(self) -> DirectoryServiceStub:
        return DirectoryServiceStub(self._channel("directory"))

    @cached_property
    def mail(self) -> MailServiceStub:
        return MailServiceStub(self._channel("mail-routing"))

    @cached_property
    def mail_queue(self) -> QueueServiceStub:
        return QueueServiceStub(self._channel("mail-routing"))

    @cached_property
    def mail_moderation(self) -> ModerationServiceStub:
        return ModerationServiceStub(self._channel("mail-routing"))

    @cached_property
    def document(self) -> DocumentServiceStub:
        return DocumentServiceStub(self._channel("document"))

    @cached_property
    def changes(self) -> ChangeServiceStub:
        return ChangeServiceStub(self._channel("document"))

    @cached_property
    def keys(self) -> KeyServiceStub:
        return KeyServiceStub(self._channel("document"))

    @cached_property
    def searching(self) -> SearchServiceStub:
        """Of processes of their own where those are named, else of the one that does all of document."""
        own = "document-search" if "document-search" in self._endpoints else "document"
        return SearchServiceStub(self._channel(own))

    @cached_property
    def transfer(self) -> TransferServiceStub:
        return TransferServiceStub(self._channel("document"))

    @cached_property
    def news(self) -> NewsServiceStub:
        return NewsServiceStub(self._channel("news"))

    @cached_property
    def notification(self) -> NotificationServiceStub:
        return NotificationServiceStub(self._channel("notification"))

    @cached_property
    def bulk(self) -> BulkServiceStub:
        return BulkServiceStub(self._channel("notification"))

    @cached_property
    def sending(self) -> SendServiceStub:
        return SendServiceStub(self._channel("notification"))

    @cached_property
    def governance(self) -> GovernanceServiceStub:
        return GovernanceServiceStub(self._channel("governance"))

    @cached_property
    def dead_letters(self) -> DeadLetterServiceStub:
        return DeadLetterServiceStub(self._channel("governance"))

    def _channel(self, service: str) -> grpc.aio.Channel:
        if service not in self._endpoints:
            raise Invalid(f"no endpoint is known for {service}: is the suite up, or ROSSIO_ENDPOINTS set?")
        authority = os.environ.get("ROSSIO_AUTHORITY")
        tls = rpc.Tls(authority=Path(authority)) if authority else None
        channel = rpc.channel(self._endpoints[service], token=self._token, tls=tls)
        self._channels.append(channel)
        return channel


@asynccontextmanager
async def connect(person: str | None) -> AsyncIterator[Client]:
    """A client as `person` (an address or id of the embedded ministry), or with ROSSIO_TOKEN.

    Raises:
        Invalid: nobody said who is calling.
        NotFound: no embedded stack runs here, or it does not know the person.
    """
    given = os.environ.get("ROSSIO_ENDPOINTS")
    endpoints = endpoints_of(given) if given else stack_file.read().endpoints
    token = await token_for(person) if person else os.environ.get("ROSSIO_TOKEN", "")
    if not token:
        raise Invalid("say who you are: --as ADDRESS on the embedded stack, or ROSSIO_TOKEN elsewhere")
    async with Client(endpoints, lambda: token) as client:
        yield client


def endpoints_of(given: str) -> dict[str, str]:
    """Addresses by service, from `service=host:port,service=host:port`.

    Raises:
        Invalid: it is of another form.
    """
    pairs = [pair.strip().partition("=") for pair in given.split(",")]
    if not all(service and address for service, _, address in pairs):
        raise Invalid(f'ROSSIO_ENDPOINTS is "{given}"; it is of the form mail-routing=host:port,document=host:port')
    return {service: address for service, _, address in pairs}


async def token_for(person: str, stack: stack_file.Stack | None = None) -> str:
    """A token of the embedded issuer for somebody whom the directory knows, with the roles that it gives them."""
    stack = stack or stack_file.read()
    issuer = Issuer(Path(stack.issuer))
    own = issuer.token("rossio-cli", kind="service")
    async with Client(stack.endpoints, lambda: own) as client:
        found = (await client.directory.GetPerson(service_pb2.GetPersonRequest(name=person))).person
    return issuer.token(found.person_id, kind="person", entity=found.entity_id, roles=found.roles)


async def pages(method: Any, request: Any) -> AsyncIterator[Any]:
    """All pages of a list."""
    while True:
        page = await method(request)
        yield page
        if not page.next_page_token:
            return
        request.page_token = page.next_page_token
