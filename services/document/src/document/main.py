"""The composition root of document."""

import secrets
from datetime import UTC, datetime, timedelta
from typing import Final

import messaging
import service
from rossio.document.v1.service_pb2_grpc import (
    add_ChangeServiceServicer_to_server,
    add_DocumentServiceServicer_to_server,
    add_KeyServiceServicer_to_server,
    add_TransferServiceServicer_to_server,
)

from document.adapters import uploads as upload_store
from document.adapters.directory import DirectoryOfView
from document.adapters.links import LINK_INDEXES, LinkStore
from document.adapters.moves import MoveStore
from document.adapters.passwords import Scrypt
from document.adapters.receipts import KeyActStore, Signer
from document.adapters.store import INDEXES
from document.adapters.usage import MeteredNodes, UsageStore
from document.application.links import CreateLink
from document.application.meter import Meter
from document.application.open_link import OpenLink
from document.application.purge import Sweep
from document.application.resumable import ResumableUpload
from document.application.tell_ending import TellEnding
from document.application.upload import Upload
from document.domain.quota import UNLIMITED
from document.entrypoints import changes, keys, transfer
from document.entrypoints.acting import Acting
from document.entrypoints.grpc import SERVICE, DocumentApi
from document.entrypoints.housekeeping import Chore, Housekeeping
from document.entrypoints.http import HttpApi
from document.settings import Settings

_OFTEN: Final = 5.0


def now() -> datetime:
    """The time in whole milliseconds, as the store keeps it: what is answered is what is read later."""
    time = datetime.now(UTC)
    return time.replace(microsecond=time.microsecond // 1000 * 1000)


def build(app: service.App[Settings]) -> None:
    """Wires one process."""
    settings = app.settings
    collection = app.collection("nodes", INDEXES)
    link_documents = app.collection("links", LINK_INDEXES)
    usage_documents, key_acts = app.collection("usages"), app.collection("key_acts")
    app.relay(collection, link_documents, usage_documents, key_acts)
    limits = {"space": settings.space_quota_bytes or UNLIMITED, "entity": settings.entity_quota_bytes or UNLIMITED}
    meter = Meter(UsageStore(usage_documents, collection, limits), now)
    nodes, links = MeteredNodes(collection, meter, messaging.new_id, now), LinkStore(link_documents)
    content, directory = app.blobs(), DirectoryOfView(app.feed().view)
    upload = Upload(nodes, content, settings.max_file_bytes)
    resumable = ResumableUpload(
        upload_store.UploadStore(app.collection("uploads", upload_store.INDEXES)),
        content,
        upload,
        timedelta(hours=settings.upload_hours),
    )
    acting = Acting(directory, now)
    moves = MoveStore(app.collection("moves"))
    passwords = Scrypt()
    open_link = OpenLink(nodes, links, passwords, directory, content)
    create_link = CreateLink(nodes, links, passwords, secrets.token_bytes, _links_url(settings))
    api = DocumentApi(nodes, moves, content, directory, links, create_link, open_link, meter, upload, acting)
    app.grpc(api, add_DocumentServiceServicer_to_server, SERVICE)
    app.grpc(transfer.TransferApi(resumable, acting), add_TransferServiceServicer_to_server, transfer.SERVICE)
    http = HttpApi(app.verifier, nodes, content, resumable, open_link, acting, max_file_size=settings.max_file_bytes)
    app.http(http.application(), settings.http_address, "HTTP_ADDRESS")
    app.grpc(changes.ChangeApi(nodes, nodes, acting), add_ChangeServiceServicer_to_server, changes.SERVICE)
    key_api = keys.KeyApi(content, KeyActStore(key_acts, Signer(settings.data_path / "receipts.key")), acting)
    app.grpc(key_api, add_KeyServiceServicer_to_server, keys.SERVICE)

    grace = timedelta(seconds=settings.collect_after_seconds)
    often = min(3600.0, settings.collect_after_seconds)
    rests = timedelta(seconds=settings.purge_rests_seconds)
    chores = [
        Chore("links that end", _OFTEN, TellEnding(nodes, links)),
        Chore("sweep of what was purged", _OFTEN, Sweep(nodes, rests)),
        Chore("upload expiry", 60.0, resumable.expire),
        Chore("collection", often, lambda at: content.collect(nodes.referenced, at - grace)),
        Chore("end of rotations", often, lambda at: content.finish_rotations(at - grace)),
    ]
    app.add(Housekeeping(chores, now), "housekeeping", service.Stage.CONSUMER)


def _links_url(settings: Settings) -> str:
    """What stands before a link, so that a browser opens it."""
    return f"{(settings.links_url or f'http://{settings.http_address}').rstrip('/')}/links/"


def main() -> None:
    service.run("document", Settings, build)


if __name__ == "__main__":
    main()
