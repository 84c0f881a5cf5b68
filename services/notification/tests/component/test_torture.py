"""Nothing lost and nothing twice: killed at every point between two effects, with failing handlers and poison.

The provider breaks one connection in ten after it has taken the message, refuses one in ten, says one receipt in
ten twice, and cannot deliver one message in ten. Its own log says what it was given.
"""

import sys
from collections import Counter
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import grpc
import messaging
import pytest
from devstack.services import ServiceProgram
from notification.adapters.store import StoredNotifications
from notification.domain.vocabulary import Channel, Status
from rossio.notification.v1 import events_pb2
from rossio.notification.v1 import notification_pb2 as n

from .conftest import PEOPLE, mail_delivered, new_id, numbers, person, published, shared

POINTS = {
    "notification.announced": 2,
    "notification.submission.recorded": 5,
    "notification.submitted": 5,
    "notification.outcome.recorded": 5,
    "notification.receipt.recorded": 3,
    "notification.prescription.sealed": 2,
    "notification.taken": 2,
    "notification.deferred": 2,
    "notification.releasing": 2,
    "messaging.relay.published": 3,
    "messaging.handled": 20,
    "messaging.commit": 3,
}
"""Point -> at which of its passings the process dies."""
ROUNDS = 12
RIGHT = {"prescription_number": "8317264950183726495", "access_code": "730194", "option_code": "5821"}
PROVIDER = (
    "--lose-answer", "0.1", "--refuse", "0.1", "--repeat-receipt", "0.1", "--undelivered", "0.1",
    # Longer than the first pause: what is in doubt is asked again before a receipt settles it.
    "--receipt-ms", "2000",
)  # fmt: skip


class Failing(ServiceProgram):
    """notification with failing handlers."""

    def command(self) -> list[str]:
        super().command()
        return [sys.executable, str(Path(__file__).with_name("failing_program.py"))]


class Ledger:
    """What was asked for: titles by reader, and prescriptions by request."""

    def __init__(self) -> None:
        self.titles = {each: Counter[str]() for each in PEOPLE}
        self.mails = {each: Counter[str]() for each in PEOPLE}
        self.prescriptions: dict[str, str | None] = {}

    def round_of_events(self, mark: str):
        """Events of every kind, each told twice; what they should lead to is taken down."""
        for index in range(ROUNDS):
            name = f"{mark}-{index}"
            for reader in ("nt-rui", "nt-eva"):
                self._expect(reader, name, mailed=True)
            yield shared(name, name, group_id="nt-team")
            self._expect("nt-nuno", f"{name}-n", mailed=True)
            yield shared(f"{name}-n", f"{name}-n", person_id="nt-nuno")
            for reader in PEOPLE:
                self.titles[reader][f"{name}-p"] += 1
            self.mails["nt-eva"][f"{name}-p"] += 1
            yield published(f"{name}-p", numbers(*PEOPLE), f"{name}-p")
            self.titles["nt-rui"]["mail"] += 1
            yield mail_delivered("nt-rui", message_id=f"{name}-m")

    def _expect(self, reader: str, name: str, *, mailed: bool) -> None:
        self.titles[reader][name] += 1
        if mailed:
            self.mails[reader][name] += 1


def bare(title: str) -> str:
    """The name in a title; every mail delivered is called "mail"."""
    if title.startswith("Recebeu"):
        return "mail"
    return title.removesuffix(" (en)").rpartition(": ")[2]


@pytest.mark.slow
async def test_killed_at_every_point_everything_is_told_and_sent_once(stage, until):
    stage.mail_routing()
    stage.provider(*PROVIDER)
    # Who is killed is known to be dead soon: most of the time would be spent on waiting for that.
    program = stage.notification(Failing, KAFKA_SESSION="PT2S")
    program.start()
    for reader, topic, channel in (
        ("nt-eva", n.TOPIC_NEWS, n.CHANNEL_EMAIL),
        ("nt-eva", n.TOPIC_DOCUMENT, n.CHANNEL_SMS),
        ("nt-nuno", n.TOPIC_DOCUMENT, n.CHANNEL_SMS),
    ):
        await stage.caller(program, reader).prefer(topic, channel, enabled=True)
    program.stop()
    ledger = Ledger()
    for round_, (point, passing) in enumerate(POINTS.items()):
        program.settings["ROSSIO_KILL_AT"] = f"{point}:{passing}"
        program.launch()  # which may die of what the one before left to do, before it is ready
        await until(lambda: program.exit_code is not None or program.ready())
        events = list(ledger.round_of_events(f"r{round_}"))
        await stage.tell(*events, *events)
        ledger.prescriptions |= {new_id(): None for _ in range(4)}
        await prescribe(stage.caller(program, "nt-ana", "prescriber"), ledger)
        await until(lambda: program.exit_code is not None, 90)
        assert program.exit_code == -9, program.output()

    program.restart(ROSSIO_KILL_AT="")
    await prescribe(stage.caller(program, "nt-ana", "prescriber"), ledger)
    assert None not in ledger.prescriptions.values()
    stranger = await poison(stage, until, program)
    await settled(stage, until, ledger, program)
    newcomer = stage.caller(program, stranger)
    assert [bare(item.title) for item in await until(newcomer.inbox)] == ["poison-2"]
    await until(lambda: stage.letters(stranger))
    assert [bare(mail["Subject"]) for mail in stage.letters(stranger)] == ["poison-2"]


async def prescribe(doctor, ledger: Ledger) -> None:
    """Sends what was not answered yet; a process that dies leaves the rest for the next one."""
    with suppress(grpc.aio.AioRpcError):
        for request_id, answered in ledger.prescriptions.items():
            if answered is None:
                ledger.prescriptions[request_id] = await doctor.prescribe(request_id, mobile="+351927364518", **RIGHT)


async def poison(stage, until, program: ServiceProgram) -> str:
    """Two events that cannot work, one of them only until the directory knows somebody; that one is redriven."""
    stranger = f"nt-{new_id()[:8]}"
    long_ago = datetime.now(UTC) - timedelta(hours=1)
    await stage.tell(shared("poison-1", "poison-1"), shared("poison-2", "poison-2", person_id=stranger), at=long_ago)
    letters = messaging.DeadLetters(stage.kafka, "document.file.v1", "notification")

    async def both():
        found = await letters.list()
        return found if len(found) == 2 else None

    by_reason = {letter.reason: letter.number for letter in await until(both, 180)}
    assert set(by_reason) == {"GRANTEE_MISSING", "PERSON_UNKNOWN"}
    await stage.tell(person(stranger, 77))
    newcomer = stage.caller(program, stranger)
    await until(lambda: _known(newcomer))
    assert await letters.redrive([by_reason["PERSON_UNKNOWN"]]) == 1
    return stranger


async def _known(reader) -> bool:
    with suppress(grpc.aio.AioRpcError):
        await reader.inbox()
        return True
    return False


async def settled(stage, until, ledger: Ledger, program: ServiceProgram) -> None:
    """Waits until nothing is open, and compares what everybody has with what was asked for."""
    documents = stage.database().collection("notifications")

    async def publish(_) -> None:
        raise AssertionError("it only reads")

    stored = StoredNotifications(documents, publish)

    expected_number = sum(map(Counter.total, ledger.mails.values())) + len(ledger.prescriptions)

    async def closed():
        everything = documents.find({}, projection={"open_until": True})
        found = {document["_id"]: "open_until" in document async for document in everything}
        return list(found) if len(found) >= expected_number and not any(found.values()) else None

    read = [await stored.get(each) for each in await until(closed, 180)]
    notifications = [each for each in read if each is not None]
    for reader, expected in ledger.titles.items():
        items = await stage.caller(program, reader).inbox()
        assert Counter(bare(item.title) for item in items) == expected, reader
        assert Counter(bare(mail["Subject"]) for mail in stage.letters(reader)) == ledger.mails[reader], reader

    ends = {
        f"{each.notification_id}.{dispatch.channel}": dispatch.status
        for each in notifications
        for dispatch in each.dispatches
        if dispatch.send and dispatch.channel is not Channel.IN_APP
    }
    assert set(ends.values()) <= {Status.DELIVERED, Status.FAILED}
    taken = Counter(message["reference"] for message in stage.noted("taken"))
    assert taken == Counter(reference for reference in ends if reference.endswith(".sms")), "each SMS once"
    failed = {said["id"] for said in stage.noted("receipt") if said["status"] == "failed"}
    assert failed, "the provider could not deliver some"
    assert stage.noted("repeated"), "some were submitted again, and the provider knew them"
    assert set(ledger.prescriptions.values()) <= {each.notification_id for each in notifications}
    assert [each for each in notifications if each.sealed.keys() - {Channel.IN_APP}] == [], "nothing sealed is left"
    told = await reported(stage.kafka)
    assert {reference: told.get(reference) for reference in ends} == {
        reference: n.Status.Value(f"STATUS_{status.name}") for reference, status in ends.items()
    }


async def reported(kafka: str) -> dict[str, int]:
    """The last status of each message, as the stream has it."""
    last: dict[str, int] = {}

    async def take(deliveries) -> None:
        for delivery in deliveries:
            report = delivery.message
            assert isinstance(report, events_pb2.NotificationReported)
            channel = n.Channel.Name(report.channel).removeprefix("CHANNEL_").lower()
            last[f"{report.notification_id}.{channel}"] = report.status

    follower = messaging.Follower(messaging.Kafka(kafka), ["notification.message.v1"], take)
    await follower.start()
    await follower.caught_up()
    await follower.stop()
    return last
