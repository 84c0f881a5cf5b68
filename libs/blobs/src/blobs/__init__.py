"""Content storage: streaming, hashing, encryption; local files and GridFS.

blobs = LocalBlobs(folder, WrappedKeyring([master], FileVault(folder / "keys")))
stored = await blobs.put("e01", chunks)             # durable, encrypted with the keys of e01
async for chunk in blobs.get(stored.ref, offset=1 << 20, length=4096): ...
"""

from blobs.content import Blob, Blobs
from blobs.gridfs import GridFSBlobs
from blobs.keyring import (
    FileVault,
    Keyring,
    ScopeKeys,
    StoreVault,
    Vault,
    WrappedKeyring,
    master_key,
    master_key_file,
)
from blobs.local import LocalBlobs
from blobs.sealing import CHUNK, Damaged

__all__ = [
    "CHUNK",
    "Blob",
    "Blobs",
    "Damaged",
    "FileVault",
    "GridFSBlobs",
    "Keyring",
    "LocalBlobs",
    "ScopeKeys",
    "StoreVault",
    "Vault",
    "WrappedKeyring",
    "master_key",
    "master_key_file",
]
