"""What a service's main.py wires: settings in, components out."""

import os
import secrets
import socket
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

import rpc
import store
from errors import Invalid
from google.protobuf.message import Message
from grpc import aio
from messaging import Consumer, Handler, Kafka, Patience, Producer, Relay, Sasl, Tls, Told
from store import Collection, Database, Index

from service.addresses import check_free
from service.clock import Chore, Work
from service.lifecycle import Component, Lifecycle, Stage
from service.parts import Calls, Peer, Store
from service.settings import AnySettings, WrongSettings

if TYPE_CHECKING:
    from aiohttp import web
    from blobs import Blobs
    from directory_view import DirectoryFeed

# What consumers may take of the time to drain: calls, and what is to be published, come after them.
_SHARE_OF_CONSUMERS: Final = 0.75

AnyComponent = TypeVar("AnyComponent", bound=Component)


class App(Generic[AnySettings]):
    """One process of a service, while it is being wired.

    Everything that is asked for here is started and stopped with the process, in the order that
    lifecycle.py explains; what is not asked for is not there.
    """

    def __init__(self, name: str, settings: AnySettings, lifecycle: Lifecycle, roles: Sequence[str]) -> None:
        self.name = name
        self.settings = settings
        self._lifecycle = lifecycle
        self._roles = frozenset(roles)
        self._served: list[tuple[Any, Callable[[Any, Any], None], str]] = []
        if strange := settings.roles - self._roles:
            known = ", ".join(roles) or "none"
            raise WrongSettings(f"ROLES: {name} has no role {', '.join(sorted(strange))}; it has {known}")

    @cached_property
    def instance(self) -> str:
        """The name of this process, which no other one has or had."""
        return f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"

    @property
    def _place(self) -> str:
        """Where this process runs: never two at a time, since they could not listen at one address."""
        address = self.settings.admin_address
        return self.instance if address.endswith(":0") else f"{socket.gethostname()}/{address}"

    def plays(self, role: str) -> bool:
        """Whether this process plays the role: ROLES names it, or names none."""
        assert role in self._roles, f"{role} is not among the roles given to service.run"
        return not self.settings.roles or role in self.settings.roles

    def add(self, component: AnyComponent, name: str, stage: Stage = Stage.RESOURCE) -> AnyComponent:
        """Has a component of the service's own started and stopped with the rest; returns it."""
        self._lifecycle.add(component, name, stage)
        return component

    @cached_property
    def _store(self) -> Store:
        database = self.settings.mongodb_database or f"rossio_{self.name.replace('-', '_')}"
        try:
            connected = store.connect(self.settings.mongodb_uri, database)
        except Invalid as error:
            raise WrongSettings(f"MONGODB_URI: {error}") from None
        return self.add(Store(connected, self._place), "store")

    @property
    def database(self) -> Database:
        """The database of this service."""
        return self._store.database

    def collection(self, name: str, indexes: Sequence[Index] = (), *, grouped: bool = False) -> Collection:
        """A collection whose indexes are there before anything else starts."""
        collection = self.database.collection(name, grouped=grouped)
        self._store.index(collection, indexes)
        return collection

    @cached_property
    def kafka(self) -> Kafka:
        """How to reach the broker, for clients that are not offered here."""
        tls, sasl = self._kafka_security()
        return Kafka(
            bootstrap=self.settings.kafka_bootstrap,
            client_id=f"rossio-{self.name}",
            idempotence=self.settings.kafka_idempotence,
            session=self.settings.kafka_session,
            tls=tls,
            sasl=sasl,
        )

    def _kafka_security(self) -> tuple[Tls | None, Sasl | None]:
        settings = self.settings
        password = settings.kafka_sasl_password
        told = Told(
            tls=settings.kafka_tls,
            tls_authority=settings.kafka_tls_authority,
            tls_certificate=settings.kafka_tls_certificate,
            tls_key=settings.kafka_tls_key,
            sasl_mechanism=settings.kafka_sasl_mechanism,
            sasl_username=settings.kafka_sasl_username,
            sasl_password=password.get_secret_value() if password else "",
            sasl_without_tls=settings.kafka_sasl_without_tls,
        )
        try:
            return told.security()
        except Invalid as error:
            raise WrongSettings(str(error)) from None

    @cached_property
    def producer(self) -> Producer:
        """Publishes what is not recorded in the store first."""
        return self.add(Producer(self.kafka), "producer")

    def relay(self, *collections: Collection) -> Relay:
        """Publishes the facts that are recorded in these collections. One call for all of a service."""
        return self.add(Relay(self.database, collections, self.producer, lease=f"relay:{self.name}"), "relay")

    def feed(self) -> "DirectoryFeed":
        """The service's copy of the directory; nothing is served before it is complete."""
        from directory_view import DirectoryFeed  # noqa: PLC0415 - services without it do not pay for it

        return self.add(DirectoryFeed(self.kafka, self.name), "directory view")

    def blobs(self) -> "Blobs":
        """Content storage, where BLOBS says: in DATA_PATH or in the database."""
        from service import content  # noqa: PLC0415 - services without content do not pay for it

        blobs = content.chosen(self.settings, lambda: self.database)
        content.tune_process()
        if self.settings.blobs == "gridfs":
            self._store.index_by(blobs.prepare)
        else:
            self.add(content.Place(blobs), "content")
        self.chore("content sweep", content.SWEEP_EVERY_SECONDS, lambda at: blobs.sweep(at - content.LONGEST_PUT))
        return blobs

    def chore(self, name: str, every_seconds: float, work: Work, *, first: bool = False) -> None:
        """Has something done again after so many seconds; `first`: and once before anything is served."""
        self.add(Chore(name, every_seconds, work, first=first), name, Stage.RESOURCE if first else Stage.CONSUMER)

    def consumer(self, stream: str, handlers: Mapping[type[Message], Handler], **options: Any) -> Consumer:
        """Settles a stream; `batch` and the further options are those of `messaging.Consumer`."""
        options.setdefault("patience", Patience(drain=_SHARE_OF_CONSUMERS * self.settings.drain_seconds))
        consumer = Consumer(self.kafka, stream, self.name, handlers, **options)
        return self.add(consumer, f"consumer of {stream}", Stage.CONSUMER)

    def grpc(self, servicer: Any, add: Callable[[Any, Any], None], full_name: str) -> None:
        """Serves a gRPC service; `add` is the generated function that adds the servicer to a server."""
        self._served.append((servicer, add, full_name))

    @cached_property
    def verifier(self) -> rpc.Verifier:
        """Says who is calling; what serves gRPC starts and stops it."""
        settings = self.settings
        missing = [name.upper() for name in ("oidc_issuer", "oidc_jwks") if not getattr(settings, name)]
        if missing:
            raise WrongSettings("\n".join(f"{name}: needed, since this process serves gRPC" for name in missing))
        return rpc.Verifier(settings.oidc_jwks, settings.oidc_issuer, settings.oidc_audience, cluster=self._cluster())

    def http(self, application: "web.Application", address: str, setting: str) -> None:
        """Serves HTTP beside gRPC; `setting` names the variable that says the address."""
        from service.web import Web  # noqa: PLC0415 - services without HTTP do not pay for it

        check_free(address, setting)
        self.add(Web(application, address, setting, self.settings.drain_seconds), "HTTP", Stage.SERVER)

    def channel(self, address: str) -> aio.Channel:
        """A channel to another service, which is told the token of this one."""
        path = self.settings.service_token_file
        token = rpc.token_file(path) if path else None
        channel = rpc.channel(address, token=token, tls=self._peer_tls())
        return self.add(Peer(channel), f"channel to {address}").channel

    async def prepare(self, seconds: float) -> None:
        """Creates the indexes of all that was collected, and starts nothing.

        CannotStart when one cannot be created, or the store is away for so long.
        """
        try:
            await self._store.prepare(seconds)
        finally:
            await self._store.stop()

    def assemble(self) -> None:
        """Puts together what was collected; called once, after the service has wired itself."""
        if self._served:
            self.add(self._calls(), "gRPC", Stage.SERVER)

    def _calls(self) -> Calls:
        settings = self.settings
        tls = None
        if settings.grpc_tls_certificate is not None:
            tls = rpc.Tls(settings.grpc_tls_authority, settings.grpc_tls_certificate, settings.grpc_tls_key)
        check_free(settings.grpc_address, "GRPC_ADDRESS")
        server = rpc.Server(
            self._served,
            self.verifier,
            address=settings.grpc_address,
            tls=tls,
            max_message=settings.grpc_max_message_bytes,
        )
        return Calls(server, settings.grpc_address, settings.drain_seconds)

    def _peer_tls(self) -> rpc.Tls | None:
        settings = self.settings
        if settings.grpc_peer_authority is None:
            return None
        return rpc.Tls(settings.grpc_peer_authority, settings.grpc_tls_certificate, settings.grpc_tls_key)

    def _cluster(self) -> rpc.Cluster | None:
        settings = self.settings
        if not settings.workload_issuer:
            return None
        return rpc.Cluster(
            issuer=settings.workload_issuer,
            jwks=settings.workload_jwks,
            subjects=settings.workload_subjects,
            authority=settings.workload_jwks_authority,
            token_file=settings.workload_jwks_token_file,
        )
