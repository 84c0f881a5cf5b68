"""The composition root of document."""

from datetime import UTC, datetime, timedelta
from typing import Final

import messaging
import service
from rossio.document.v1.service_pb2_grpc import add_DocumentServiceServicer_to_server

from document.adapters.directory import DirectoryOfView
from document.adapters.links import LINK_INDEXES, LinkStore
from document.adapters.moves import MoveStore
from document.adapters.passwords import Scrypt
from document.adapters.store import INDEXES
from document.adapters.usage import MeteredNodes, UsageStore
from document.application.meter import Meter
from document.application.tell_ending import TellEnding
from document.domain.quota import UNLIMITED
from document.entrypoints.clock import LinkClock
from document.entrypoints.grpc import SERVICE, DocumentApi
from document.settings import Settings

LOOK_EVERY: Final = timedelta(seconds=5)


def now() -> datetime:
    """The time in whole milliseconds, as the store keeps it: what is answered is what is read later."""
    time = datetime.now(UTC)
    return time.replace(microsecond=time.microsecond // 1000 * 1000)


def build(app: service.App[Settings]) -> None:
    """Wires one process."""
    nodes = app.collection("nodes", INDEXES)
    link_documents = app.collection("links", LINK_INDEXES)
    usage_documents = app.collection("usages")
    app.relay(nodes, link_documents, usage_documents)
    limits = {
        "space": app.settings.space_quota_bytes or UNLIMITED,
        "entity": app.settings.entity_quota_bytes or UNLIMITED,
    }
    meter = Meter(UsageStore(usage_documents, nodes, limits), now)
    node_store, links = MeteredNodes(nodes, meter, messaging.new_id), LinkStore(link_documents)
    app.add(LinkClock(TellEnding(node_store, links), now, every=LOOK_EVERY), "link clock")
    api = DocumentApi(
        node_store,
        MoveStore(app.collection("moves")),
        app.blobs(),
        DirectoryOfView(app.feed().view),
        links,
        Scrypt(),
        meter,
        max_file_size=app.settings.max_file_bytes,
        now=now,
    )
    app.grpc(api, add_DocumentServiceServicer_to_server, SERVICE)


def main() -> None:
    service.run("document", Settings, build)


if __name__ == "__main__":
    main()
