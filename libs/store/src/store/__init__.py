"""MongoDB: collections, indexes, optimistic writes with an outbox, group commit, leases."""

from store.collection import ASCENDING, DESCENDING, Collection, Page, Position
from store.database import Database, Index, connect
from store.files import Files, StoredFile, Upload
from store.grouped import Grouped
from store.lease import Lease
from store.operations import BulkResult, Change, Delete, Document, Insert, Operation
from store.outbox import OutboxRecord
from store.records import known

__all__ = [
    "ASCENDING",
    "DESCENDING",
    "BulkResult",
    "Change",
    "Collection",
    "Database",
    "Delete",
    "Document",
    "Files",
    "Grouped",
    "Index",
    "Insert",
    "Lease",
    "Operation",
    "OutboxRecord",
    "Page",
    "Position",
    "StoredFile",
    "Upload",
    "connect",
    "known",
]
