"""Content storage: streaming, hashing, encryption; local files, GridFS and S3.

blobs = LocalBlobs(folder, WrappedKeyring(MasterFile(folder / "master.key"), FileVault(folder / "keys")))
stored = await blobs.put("e01", chunks)             # durable, encrypted with the keys of e01
async for chunk in blobs.get(stored.ref, offset=1 << 20, length=4096): ...
"""

from blobs.content import Blob, Blobs, Incoming, Referenced
from blobs.gridfs import GridFSBlobs
from blobs.keyring import Keyring, Shredding, WrappedKeyring
from blobs.keys import ScopeKeys
from blobs.local import LocalBlobs
from blobs.masters import GivenMasters, MasterFile, Masters, master_key, master_key_file
from blobs.memory import reuse_memory, share_pools
from blobs.sealing import CHUNK, Damaged
from blobs.vault import FileVault, StoreVault, Vault

__all__ = [
    "CHUNK",
    "Blob",
    "Blobs",
    "Damaged",
    "FileVault",
    "GivenMasters",
    "GridFSBlobs",
    "Incoming",
    "Keyring",
    "LocalBlobs",
    "MasterFile",
    "Masters",
    "Referenced",
    "ScopeKeys",
    "Shredding",
    "StoreVault",
    "Vault",
    "WrappedKeyring",
    "master_key",
    "master_key_file",
    "reuse_memory",
    "share_pools",
]
