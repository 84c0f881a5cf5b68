"""Where the wrapped keys of scopes are kept: files of a folder, or documents of a collection."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Protocol

from errors import Conflict, NotFound
from store import Collection

from blobs.files import disk, locked, replace_file, write_once

DESTROYED: Final = b""
"""What is kept in the place of keys that are gone for good, so that no new ones are made for the scope."""


class Vault(Protocol):
    """Keeps the wrapped keys of scopes, durably."""

    async def load(self, scope: str) -> bytes | None: ...

    async def create(self, scope: str, wrapped: bytes) -> None:
        """Keeps the first ones of a scope, and leaves those of another process that was faster."""
        ...

    async def replace(self, scope: str, before: bytes, after: bytes) -> bool:
        """Puts others in their place; False when they are not those any more."""
        ...

    async def scopes(self) -> Sequence[str]: ...


class FileVault:
    """Wrapped keys as files of a folder, one a scope."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def load(self, scope: str) -> bytes | None:
        path = self._path(scope)
        with disk():
            return path.read_bytes() if path.exists() else None

    async def create(self, scope: str, wrapped: bytes) -> None:
        with disk():
            await asyncio.to_thread(write_once, self._path(scope), wrapped)

    async def replace(self, scope: str, before: bytes, after: bytes) -> bool:
        return await asyncio.to_thread(self._replace, self._path(scope), before, after)

    async def scopes(self) -> Sequence[str]:
        return [path.stem for path in sorted(self._folder.glob("[!.]*.key"))]

    def _replace(self, path: Path, before: bytes, after: bytes) -> bool:
        with disk(), locked(self._folder / "lock"):
            if path.read_bytes() != before:
                return False
            replace_file(path, after)
            return True

    def _path(self, scope: str) -> Path:
        return self._folder / f"{scope}.key"


class StoreVault:
    """Wrapped keys as documents of a collection, one a scope."""

    def __init__(self, collection: Collection) -> None:
        self._collection = collection

    async def load(self, scope: str) -> bytes | None:
        document = await self._collection.get(scope)
        return None if document is None else bytes(document["wrapped"])

    async def create(self, scope: str, wrapped: bytes) -> None:
        try:
            await self._collection.insert({"_id": scope, "wrapped": wrapped})
        except Conflict:
            return

    async def replace(self, scope: str, before: bytes, after: bytes) -> bool:
        try:
            await self._collection.update(scope, {"$set": {"wrapped": after}}, where={"wrapped": before})
        except (Conflict, NotFound):
            return False
        return True

    async def scopes(self) -> Sequence[str]:
        return sorted([document["_id"] async for document in self._collection.find({}, projection={"_id": True})])
