"""Notification as a program on a real Kafka and store, with the real mail-routing and a simulated SMS provider."""

import base64
import json
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from email import message_from_bytes
from email.policy import SMTP
from pathlib import Path
from typing import Any
from uuid import uuid4

import grpc
import messaging
import pytest
import rpc
import store
from devstack.issuer import Issuer
from devstack.kafka import Kafka
from devstack.mongo import Mongo
from devstack.program import free_port
from devstack.services import SERVICES, ServiceProgram, Surroundings
from directory_view import Bitmap
from google.protobuf.message import Message
from rossio.directory.v1 import directory_pb2
from rossio.directory.v1 import events_pb2 as directory_events
from rossio.document.v1 import document_pb2
from rossio.document.v1 import events_pb2 as document_events
from rossio.mail.v1 import events_pb2 as mail_events
from rossio.news.v1 import events_pb2 as news_events
from rossio.news.v1 import news_pb2
from rossio.notification.v1 import notification_pb2 as n
from rossio.notification.v1 import service_pb2 as pb
from rossio.notification.v1.service_pb2_grpc import BulkServiceStub, NotificationServiceStub, SendServiceStub
from testkit.sms_provider import KEY, SECRET, SmsProviderProgram
from testkit.smsc import PASSWORD, SYSTEM_ID, SmscProgram
from testkit.streams import publish

MASTER = bytes(range(32))
"""The master key of the vault."""
PEOPLE = {"nt-ana": "nt-a", "nt-rui": "nt-a", "nt-eva": "nt-b", "nt-nuno": "nt-b"}
"""Person -> entity; `<person>@<entity>.test` is the address, and eva reads English."""
FIRST = 1
MOBILE = "+35191000000{}"


def address(person_id: str) -> str:
    return f"{person_id}@{PEOPLE[person_id]}.test"


def person(person_id: str, number: int, entity_id: str = "nt-b") -> directory_events.PersonChanged:
    return directory_events.PersonChanged(
        person=directory_pb2.Person(
            person_id=person_id,
            number=number,
            entity_id=entity_id,
            addresses=[f"{person_id}@{entity_id}.test"],
            mobile=MOBILE.format(number % 10),
            locale="en" if person_id == "nt-eva" else "",
            state=directory_pb2.PERSON_STATE_ACTIVE,
            version=1,
        )
    )


def directory() -> Iterator[Message]:
    for entity_id in ("nt-a", "nt-b"):
        yield directory_events.EntityChanged(
            entity=directory_pb2.Entity(entity_id=entity_id, name=entity_id, domains=[f"{entity_id}.test"], version=1)
        )
    for number, (person_id, entity_id) in enumerate(PEOPLE.items(), start=FIRST):
        yield person(person_id, number, entity_id)
    members = [directory_pb2.Member(person_id=each) for each in ("nt-ana", "nt-rui", "nt-eva")]
    yield directory_events.GroupChanged(
        group=directory_pb2.Group(group_id="nt-team", entity_id="nt-a", members=members, version=1)
    )


def numbers(*people: str) -> Bitmap:
    return Bitmap(FIRST + list(PEOPLE).index(each) for each in people)


def new_id() -> str:
    return uuid4().hex


# What other services tell


def mail_delivered(*people: str, message_id: str = "", principal: str = "") -> Message:
    outcomes = [
        mail_events.Outcome(address=f"{each}@x.test", person_id=each, state=mail_events.DELIVERY_STATE_DELIVERED)
        for each in people
    ]
    return mail_events.DeliveryReported(
        message_id=message_id or new_id(), entity_id="nt-a", outcomes=outcomes, principal=principal
    )


def shared(grant_id: str = "", name: str = "Escala.pdf", by: str = "nt-ana", **to: str) -> Message:
    """A grant to `person_id`, `group_id` or `entity_id`; to nobody, which is poison, when none is said."""
    grantee = document_pb2.Grantee(**to) if to else None
    grant = document_pb2.Grant(grant_id=grant_id or new_id(), node_id="node-1", grantee=grantee, granted_by=by)
    return document_events.NodeShared(node_id="node-1", entity_id="nt-a", name=name, grant=grant)


def link_ending(link_id: str, name: str = "Escala.pdf", **maker: str) -> Message:
    return document_events.LinkEnding(
        node_id="node-1", entity_id="nt-a", name=name, link_id=link_id, maker=document_pb2.Grantee(**maker)
    )


def published(post_id: str, people: Bitmap, title: str = "Aviso") -> news_events.PostPublished:
    variants = [news_pb2.Variant(locale="pt-PT", title=title), news_pb2.Variant(locale="en", title=f"{title} (en)")]
    post = news_pb2.Post(post_id=post_id, entity_id="nt-a", variants=variants)
    return news_events.PostPublished(post_id=post_id, post=post, audience=people.serialize())


def retracted(post_id: str) -> Message:
    return news_events.PostRetracted(post_id=post_id, entity_id="nt-a", reason="engano")


class Person:
    """Somebody's stub, and the longer conversations in short."""

    def __init__(self, stub: NotificationServiceStub) -> None:
        self.stub = stub

    async def page(self, **said: Any) -> pb.ListInboxResponse:
        return await self.stub.ListInbox(pb.ListInboxRequest(**said))

    async def inbox(self, page_size: int = 0, *, unread_only: bool = False) -> list[n.InboxItem]:
        """All items, newest first."""
        items: list[n.InboxItem] = []
        token = ""
        while True:
            page = await self.page(page_size=page_size, page_token=token, unread_only=unread_only)
            items += page.items
            token = page.next_page_token
            if not token:
                return items

    async def titles(self) -> list[str]:
        return [item.title for item in await self.inbox()]

    async def unread(self) -> int:
        return (await self.page(page_size=1)).unread

    async def mark_read(self, *item_ids: str) -> int:
        return (await self.stub.MarkRead(pb.MarkReadRequest(request_id=new_id(), item_ids=item_ids))).unread

    async def prefer(self, topic: n.Topic.ValueType, channel: n.Channel.ValueType, enabled: bool) -> None:
        preference = n.Preference(topic=topic, channel=channel, enabled=enabled)
        await self.stub.SetPreference(pb.SetPreferenceRequest(request_id=new_id(), preference=preference))

    async def prescribe(self, request_id: str = "", **said: str) -> str:
        request = pb.SendPrescriptionRequest(request_id=request_id or new_id(), **said)
        return (await self.stub.SendPrescription(request)).notification_id

    async def why(self, notification_id: str) -> dict[int, Any]:
        """The decisions by channel."""
        answer = await self.stub.Why(pb.WhyRequest(notification_id=notification_id))
        return {decision.channel: decision for decision in answer.decisions}


class Sender:
    """The stub of somebody who sends."""

    def __init__(self, stub: SendServiceStub) -> None:
        self.stub = stub

    async def send(
        self,
        request_id: str = "",
        *,
        to: dict[str, str],
        template: str = "consulta",
        send_at: datetime | None = None,
        expires_in: timedelta | None = None,
        lane: n.Lane.ValueType = n.LANE_UNSPECIFIED,
        channels: Sequence[n.Channel.ValueType] = (),
        fallback: bool = False,
        fallback_after: timedelta | None = None,
        reference: str = "",
        **values: str,
    ) -> str:
        request = pb.SendRequest(
            request_id=request_id or new_id(),
            template=template,
            personalisation=values,
            to=pb.Addressee(**to),
            lane=lane,
            channels=channels,
            fallback=fallback,
            reference=reference,
        )
        if send_at is not None:
            request.send_at.FromDatetime(send_at)
        if expires_in is not None:
            request.expires_in.FromTimedelta(expires_in)
        if fallback_after is not None:
            request.fallback_after.FromTimedelta(fallback_after)
        return (await self.stub.Send(request)).notification_id

    async def preview(self, *, locale: str, name: str = "consulta", **values: str) -> pb.PreviewTemplateResponse:
        request = pb.PreviewTemplateRequest(name=name, personalisation=values, locale=locale)
        return await self.stub.PreviewTemplate(request)

    async def watch(self, seen: list[pb.WatchStatusesResponse], after: str = "") -> None:
        """Takes down what becomes of the messages, until it is cancelled."""
        async for change in self.stub.WatchStatuses(pb.WatchStatusesRequest(after=after)):
            seen += [change]


class Stage:
    """An installation of notification and what it needs, in a database of its own."""

    def __init__(self, surroundings: Surroundings, folder: Path, issuer: Issuer) -> None:
        self.surroundings = surroundings
        self.folder = folder
        self.sms = SmsProviderProgram(folder / "sms")
        self.centre: SmscProgram | None = None
        self.mail: ServiceProgram | None = None
        self._issuer = issuer
        self._programs: list[ServiceProgram] = []
        self._open = AsyncExitStack()

    @property
    def kafka(self) -> str:
        return self.surroundings.kafka

    async def close(self) -> None:
        await self._open.aclose()
        for program in self._programs:
            program.stop(10)  # leaves its groups, so that the next test need not wait for their sessions to end
        self.sms.kill()
        if self.centre is not None:
            self.centre.kill()

    async def tell(self, *events: Message, at: datetime | None = None) -> None:
        """Publishes events as the services that they are of would."""
        await publish(self.kafka, events, at)

    def provider(self, *options: str) -> None:
        """Starts the SMS provider."""
        self.sms = SmsProviderProgram(self.folder / "sms", *options, port=self.sms.port)
        self.sms.start()

    def message_centre(self, *options: str) -> None:
        """Starts the message centre; processes that are made after this speak to it."""
        self.centre = SmscProgram(self.folder / "smsc", *options, port=self.centre.port if self.centre else None)
        self.centre.start()

    def mail_routing(self) -> None:
        self.mail = self._program("mail-routing", ServiceProgram, SERVICE_SENDERS='{"notification": ["no-reply@*"]}')
        self.mail.start()

    def notification(self, kind: type[ServiceProgram] = ServiceProgram, **settings: str) -> ServiceProgram:
        """A process of notification, not started."""
        told = {
            "VAULT_KEY": base64.b64encode(MASTER).decode(),
            "MAIL_ROUTING_ADDRESS": self.mail.grpc if self.mail else "127.0.0.1:1",
            "SMS_PROVIDER_URL": f"http://127.0.0.1:{self.sms.port}",
            "SMS_PROVIDER_KEY": KEY,
            "SMS_RECEIPT_SECRET": SECRET,
            "RECEIPTS_ADDRESS": f"127.0.0.1:{free_port()}",
            "EXPIRY_EVERY": "PT0.2S",
            "DUE_EVERY": "PT0.2S",
            "OUTBOUND_PRIVATE": "true",
            **self._over_smpp(),
            **settings,
        }
        return self._program("notification", kind, **told)

    def _over_smpp(self) -> dict[str, str]:
        if self.centre is None:
            return {}
        address = f"127.0.0.1:{self.centre.port}"
        return {"SMPP_ADDRESS": address, "SMPP_SYSTEM_ID": SYSTEM_ID, "SMPP_PASSWORD": PASSWORD}

    def _program(self, name: str, kind: type[ServiceProgram], **settings: str) -> ServiceProgram:
        (service,) = (each for each in SERVICES if each.name == name)
        folder = self.folder / f"{name}-{len(self._programs)}"
        self._programs.append(kind(service, folder, self.surroundings, settings=settings))
        return self._programs[-1]

    def caller(self, program: ServiceProgram, person_id: str, *roles: str) -> Person:
        """Somebody who speaks to a process."""
        return Person(NotificationServiceStub(self._channel(program, person_id, roles)))

    def citizen(self, program: ServiceProgram, subject: str) -> NotificationServiceStub:
        """The stub of a citizen, who belongs to no entity."""
        token = self._issuer.token(subject, kind="citizen")
        return NotificationServiceStub(self._open_channel(program, token))

    def bulk(self, program: ServiceProgram, person_id: str) -> BulkServiceStub:
        """The stub of somebody who sends many messages at once."""
        return BulkServiceStub(self._channel(program, person_id, ["notification.bulk"]))

    def sender(self, program: ServiceProgram, person_id: str, *roles: str) -> Sender:
        """Somebody who sends by a process."""
        return Sender(SendServiceStub(self._channel(program, person_id, roles)))

    def _channel(self, program: ServiceProgram, person_id: str, roles: Sequence[str]) -> grpc.aio.Channel:
        token = self._issuer.token(person_id, entity=PEOPLE.get(person_id, "nt-b"), roles=roles)
        return self._open_channel(program, token)

    def _open_channel(self, program: ServiceProgram, token: str) -> grpc.aio.Channel:
        channel = rpc.channel(program.grpc, token=lambda: token)
        self._open.push_async_callback(channel.close)
        return channel

    def database(self) -> store.Database:
        """The database of notification."""
        database = store.connect(self.surroundings.mongodb, f"{self.surroundings.database_prefix}notification")
        self._open.push_async_callback(database.close)
        return database

    def letters(self, person_id: str) -> list[Any]:
        """The parsed mails in somebody's mailbox."""
        assert self.mail is not None
        box = self.mail.folder / "data" / "maildirs" / PEOPLE.get(person_id, "nt-b") / person_id / "new"
        paths = sorted(box.glob("*")) if box.is_dir() else []
        return [message_from_bytes(path.read_bytes(), policy=SMTP) for path in paths]

    def noted(self, event: str) -> list[dict[str, Any]]:
        """What the SMS provider has noted in its log."""
        return _noted(self.sms.messages, event)

    def heard(self, event: str) -> list[dict[str, Any]]:
        """What the message centre has noted in its log."""
        return _noted(self.centre.messages, event) if self.centre else []


def _noted(log: Path, event: str) -> list[dict[str, Any]]:
    lines = log.read_text().splitlines() if log.exists() else []
    return [said for said in map(json.loads, lines) if said["event"] == event]


@pytest.fixture
async def stage(streams: str, mongo: str, database_name: str, issuer: Issuer, tmp_path: Path) -> AsyncIterator[Stage]:
    """On a Kafka that only this module's tests use, where the small ministry is published."""
    made = Stage(Surroundings(streams, mongo, issuer, database_prefix=f"{database_name}_"), tmp_path, issuer)
    await made.tell(*directory())
    yield made
    await made.close()


@pytest.fixture
async def alone(own_kafka: Kafka, own_mongo: Mongo, issuer: Issuer, tmp_path: Path) -> AsyncIterator[Stage]:
    """On a Kafka and a store of its own, whose files the test may search; all lies below `tmp_path`."""
    await messaging.ensure_topics(own_kafka.bootstrap)
    made = Stage(Surroundings(own_kafka.bootstrap, own_mongo.uri, issuer), tmp_path, issuer)
    await made.tell(*directory())
    yield made
    await made.close()
