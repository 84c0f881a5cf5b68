"""A real service with next to no behaviour, which the tests run as a program.

It answers `Resolve` after WORK_SECONDS, keeps each `Submit` as a note with a fact about it, and
writes down each delivery report that it settles, after WORK_SECONDS.
"""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

import messaging
import rpc
import service
from rossio.mail.v1 import events_pb2, service_pb2
from rossio.mail.v1.service_pb2_grpc import MailServiceServicer, add_MailServiceServicer_to_server
from store import Collection


class Settings(service.Settings):
    work_seconds: float = 0.0


class Mail(MailServiceServicer):
    async def Trace(self, request, context):  # noqa: N802 - the proto's
        yield service_pb2.TraceResponse()

    def __init__(self, notes: Collection, settings: Settings) -> None:
        self._notes = notes
        self._settings = settings

    async def Resolve(self, request, context):  # noqa: N802 - the proto's
        await asyncio.sleep(self._settings.work_seconds)
        return service_pb2.ResolveResponse(destination_count=1)

    async def Submit(self, request, context):  # noqa: N802 - the proto's
        note = rpc.derived_id("note")
        reported = events_pb2.DeliveryReported(message_id=note, entity_id="e01")
        fact = messaging.fact(reported, id=messaging.new_id(), at=datetime.now(UTC))
        await self._notes.insert({"_id": note}, [fact])
        return service_pb2.SubmitResponse(message_id=note)


def build(app: service.App[Settings]) -> None:
    notes = app.collection("notes")
    settled = app.collection("settled")

    async def settle(deliveries: Sequence[messaging.Delivery]) -> None:
        await asyncio.sleep(app.settings.work_seconds)
        for delivery in deliveries:
            assert isinstance(delivery.message, events_pb2.DeliveryReported)
            await settled.update(delivery.message.message_id, {"$inc": {"times": 1}}, upsert=True)

    if app.plays("api"):
        app.relay(notes)
        mail = Mail(notes, app.settings)  # type: ignore[abstract]  # the methods that its tests call
        app.grpc(mail, add_MailServiceServicer_to_server, "rossio.mail.v1.MailService")
    if app.plays("worker"):
        app.consumer("mail.delivery.v1", {events_pb2.DeliveryReported: settle})


if __name__ == "__main__":
    service.run("notification", Settings, build, roles=("api", "worker"))
