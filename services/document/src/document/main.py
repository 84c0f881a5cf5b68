"""The composition root of document."""

import math
import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import messaging
import service
import telemetry
from blobs import Blobs, share_pools
from rossio.document.v1.service_pb2_grpc import (
    add_ChangeServiceServicer_to_server,
    add_DocumentServiceServicer_to_server,
    add_KeyServiceServicer_to_server,
    add_SearchServiceServicer_to_server,
    add_TransferServiceServicer_to_server,
)
from service import now
from store import Collection

from document.adapters import texts as text_store
from document.adapters import uploads as upload_store
from document.adapters.directory import DirectoryOfView
from document.adapters.epochs import EpochStore
from document.adapters.extraction.extractor import Limits, ProcessExtractor
from document.adapters.links import LINK_INDEXES, LinkStore
from document.adapters.moves import MoveStore
from document.adapters.passwords import Scrypt
from document.adapters.reading import NodeReader
from document.adapters.receipts import KeyActStore, Signer
from document.adapters.store import INDEXES
from document.adapters.texts import TextStore
from document.adapters.usage import MeteredNodes, UsageStore
from document.application.collect import Referred
from document.application.extract_text import ExtractText
from document.application.follow_store import FollowStore
from document.application.index_nodes import Awaited, IndexNodes
from document.application.links import CreateLink
from document.application.meter import Meter
from document.application.open_link import OpenLink
from document.application.purge import Sweep
from document.application.resumable import ResumableUpload
from document.application.search import Search
from document.application.tell_ending import TellEnding
from document.application.upload import Upload
from document.domain.quota import UNLIMITED
from document.entrypoints import changes, keys, searching, transfer
from document.entrypoints.acting import Acting
from document.entrypoints.grpc import SERVICE, DocumentApi
from document.entrypoints.http import HttpApi
from document.entrypoints.indexing import Indexing
from document.settings import Settings

_OFTEN: Final = 5.0
ROLES = ("api", "search")
"""Files for those who ask; and the index with what is found in it, of which each process has its own."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What both roles rest on."""

    documents: Collection
    nodes: MeteredNodes
    meter: Meter
    content: Blobs
    directory: DirectoryOfView
    texts: TextStore
    epochs: Collection
    acting: Acting


def build(app: service.App[Settings]) -> None:
    """Wires one process, by the roles that it plays."""
    settings = app.settings
    documents, usages, epochs = app.collection("nodes", INDEXES), app.collection("usages"), app.collection("epochs")
    limits = {"space": settings.space_quota_bytes or UNLIMITED, "entity": settings.entity_quota_bytes or UNLIMITED}
    meter = Meter(UsageStore(usages, documents, limits), now)
    app.add(meter, "meter")
    content, directory = app.blobs(), DirectoryOfView(app.feed().view)
    parts = Parts(
        documents=documents,
        nodes=MeteredNodes(documents, meter, messaging.new_id, now),
        meter=meter,
        content=content,
        directory=directory,
        texts=TextStore(app.collection("texts", text_store.INDEXES)),
        epochs=epochs,
        acting=Acting(directory, now),
    )
    links, key_acts = app.collection("links", LINK_INDEXES), app.collection("key_acts")
    app.relay(documents, links, usages, key_acts, epochs)
    if app.plays("api"):
        serve_documents(app, parts, links, key_acts)
    if app.plays("search"):
        serve_search(app, parts)


def serve_documents(app: service.App[Settings], parts: Parts, link_documents: Collection, key_acts: Collection) -> None:
    """Files, folders and who may see them, over gRPC and HTTP; and what has to be done from time to time."""
    settings, nodes, content, acting = app.settings, parts.nodes, parts.content, parts.acting
    links = LinkStore(link_documents)
    upload = Upload(nodes, content, settings.max_file_bytes)
    resumable = ResumableUpload(
        upload_store.UploadStore(app.collection("uploads", upload_store.INDEXES)),
        content,
        upload,
        timedelta(hours=settings.upload_hours),
    )
    moves = MoveStore(app.collection("moves"))
    passwords, directory = Scrypt(), parts.directory
    open_link = OpenLink(nodes, links, passwords, directory, content)
    create_link = CreateLink(nodes, links, passwords, secrets.token_bytes, _links_url(settings))
    api = DocumentApi(nodes, moves, content, directory, links, create_link, open_link, parts.meter, upload, acting)
    app.grpc(api, add_DocumentServiceServicer_to_server, SERVICE)
    app.grpc(transfer.TransferApi(resumable, acting), add_TransferServiceServicer_to_server, transfer.SERVICE)
    http = HttpApi(
        app.verifier,
        nodes,
        content,
        resumable,
        open_link,
        acting,
        max_file_size=settings.max_file_bytes,
        origins=settings.http_origins,
    )
    app.http(http.application(), settings.http_address, "HTTP_ADDRESS")
    app.grpc(changes.ChangeApi(nodes, nodes, acting), add_ChangeServiceServicer_to_server, changes.SERVICE)
    key_api = keys.KeyApi(content, KeyActStore(key_acts, Signer(settings.data_path / "receipts.key")), acting)
    app.grpc(key_api, add_KeyServiceServicer_to_server, keys.SERVICE)

    grace = timedelta(seconds=settings.collect_after_seconds)
    often = min(3600.0, settings.collect_after_seconds)
    rests = timedelta(seconds=settings.purge_rests_seconds)
    referred = Referred(nodes, parts.texts)
    app.chore("links that end", _OFTEN, TellEnding(nodes, links))
    app.chore("sweep of what was purged", _OFTEN, Sweep(nodes, rests))
    app.chore("upload expiry", 60.0, resumable.expire)
    app.chore("collection", often, lambda at: content.collect(referred, at - grace))
    app.chore("end of rotations", often, lambda at: content.finish_rotations(at - grace))


def _links_url(settings: Settings) -> str:
    """What stands before a link, so that a browser opens it."""
    return f"{(settings.links_url or f'http://{settings.http_address}').rstrip('/')}/links/"


def serve_search(app: service.App[Settings], parts: Parts) -> None:
    """An index of this process's own, and what is found in it."""
    from document.adapters.indexes import LocalIndexes  # noqa: PLC0415 - 15 MB that only this role needs
    from document.adapters.terms import SnowballStemmer  # noqa: PLC0415

    share_pools()  # each writer of an index has some six threads
    settings, content, texts = app.settings, parts.content, parts.texts
    everything = NodeReader(parts.documents)
    indexes = LocalIndexes(settings.data_path / "index", content.derived_key)
    epochs = EpochStore(parts.epochs)
    index_nodes = IndexNodes(everything, indexes, texts, content, Awaited())
    limits = Limits(
        memory=settings.extract_memory_bytes,
        cpu_seconds=math.ceil(settings.extract_seconds),
        deadline=settings.extract_seconds,
    )
    claim = timedelta(seconds=2 * settings.extract_seconds + 5)
    indexing = Indexing(
        FollowStore(everything, indexes, index_nodes, epochs),
        index_nodes,
        ExtractText(texts, content, ProcessExtractor(limits), settings.extract_max_bytes, claim, now),
        indexes,
        now,
        processes=settings.extract_processes,
        reconcile_seconds=settings.reconcile_seconds,
    )
    app.add(indexing, "index")
    if not app.plays("api"):
        telemetry.health.check("index", lambda: None if indexing.ready() else "the index is being made")
    search = Search(
        nodes=parts.nodes,
        everything=everything,
        indexes=indexes,
        texts=texts,
        content=content,
        directory=parts.directory,
        stemmer=SnowballStemmer(),
        ready=indexing.ready,
    )
    api = searching.SearchApi(search, parts.nodes, texts, epochs, parts.acting)
    app.grpc(api, add_SearchServiceServicer_to_server, searching.SERVICE)


def main() -> None:
    service.run("document", Settings, build, roles=ROLES)


if __name__ == "__main__":
    main()
