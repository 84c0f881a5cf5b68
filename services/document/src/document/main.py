"""The composition root of document."""

from datetime import UTC, datetime

import service
from rossio.document.v1.service_pb2_grpc import add_DocumentServiceServicer_to_server

from document.adapters.directory import DirectoryOfView
from document.adapters.moves import MoveStore
from document.adapters.store import INDEXES, NodeStore
from document.entrypoints.grpc import SERVICE, DocumentApi
from document.settings import Settings


def now() -> datetime:
    """The time in whole milliseconds, as the store keeps it: what is answered is what is read later."""
    time = datetime.now(UTC)
    return time.replace(microsecond=time.microsecond // 1000 * 1000)


def build(app: service.App[Settings]) -> None:
    """Wires one process."""
    nodes = app.collection("nodes", INDEXES)
    app.relay(nodes)
    api = DocumentApi(
        NodeStore(nodes),
        MoveStore(app.collection("moves")),
        app.blobs(),
        DirectoryOfView(app.feed().view),
        max_file_size=app.settings.max_file_bytes,
        now=now,
    )
    app.grpc(api, add_DocumentServiceServicer_to_server, SERVICE)


def main() -> None:
    service.run("document", Settings, build)


if __name__ == "__main__":
    main()
