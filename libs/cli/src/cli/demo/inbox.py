"""The notices of everything before, in the inbox of one person."""

import telemetry
from rossio.notification.v1 import notification_pb2, service_pb2

from cli.client import Client
from cli.demo.stage import Shown, Stage, until

EXPECTED = {
    notification_pb2.TOPIC_DOCUMENT: "a document was shared",
    notification_pb2.TOPIC_NEWS: "news to acknowledge",
    notification_pb2.TOPIC_MAIL: "a mail came",
}


async def inbox(stage: Stage) -> Shown:
    lines = []
    readers = {
        notification_pb2.TOPIC_DOCUMENT: stage.cast.person("e03"),
        notification_pb2.TOPIC_NEWS: stage.cast.clinician("e03"),
        notification_pb2.TOPIC_MAIL: next(iter(stage.cast.members(stage.cast.nested_list("e03")).values())),
    }
    for topic, reader in readers.items():
        client = await stage.client(reader)
        item = await until(f"{EXPECTED[topic]}, in the inbox", lambda c=client, t=topic: _item(c, t))  # type: ignore[misc]
        lines.append(f"{reader.person_id}: {EXPECTED[topic]}: “{item.title}”")
    return Shown(lines, telemetry.current_traceparent().split("-")[1])


async def _item(client: Client, topic: notification_pb2.Topic.ValueType) -> notification_pb2.InboxItem | None:
    listed = await client.notification.ListInbox(service_pb2.ListInboxRequest(page_size=50))
    return next((item for item in listed.items if item.topic == topic), None)
