"""The folder that `rossio doc sync` keeps as a space is: what lies in it, and how it becomes what the space has.

What has another place than it had is first put aside and then where it belongs, folders with all in them. So names may
go round, and a new file may take the name that an old one had.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Final, Self

import grpc.aio
from errors import Invalid
from rossio.document.v1 import document_pb2

from cli.client import Client
from cli.command import note
from cli.doc_transfer import download

STATE: Final = ".rossio-sync.json"
_ASIDE: Final = ".rossio-sync"
"""Holds what comes, and what is under way to another place, by the id of its node."""
_OWN: Final = frozenset({STATE, f"{STATE}.new", _ASIDE})


@dataclass(slots=True)
class Entry:
    """A node as it was told last; `path` is where it lies here, empty as long as it does not."""

    parent_id: str
    name: str
    sha256: str
    path: str = ""

    @property
    def is_folder(self) -> bool:
        return not self.sha256


class Copy:
    """The folder, and what is known of the space; written down after each move and at the end of each run."""

    def __init__(self, folder: Path, space_id: str) -> None:
        self._folder = folder
        self._aside = folder / _ASIDE
        self._space_id = space_id
        self.token = ""
        self.entries: dict[str, Entry] = {}
        self._unchecked = set[str]()
        self._untold = set[str]()

    @classmethod
    def opened(cls, folder: Path, space_id: str) -> Self:
        """Raises:
        Invalid: the folder is a copy of another space.
        """
        copy = cls(folder, space_id)
        copy._aside.mkdir(parents=True, exist_ok=True)
        state = folder / STATE
        if state.exists():
            known = json.loads(state.read_text())
            if known["space_id"] != space_id:
                raise Invalid(f"{folder} is a copy of another space")
            copy.token = known["token"]
            copy.entries = {node_id: Entry(**entry) for node_id, entry in known["entries"].items()}
            copy._unchecked = set(copy.entries)
        copy._find()
        return copy

    def begin_anew(self) -> None:
        """Takes all from the beginning; what is not told until it has caught up has gone."""
        self.token, self._untold = "", set(self.entries)

    def save(self) -> None:
        entries = {node_id: asdict(entry) for node_id, entry in self.entries.items()}
        draft = self._folder / f"{STATE}.new"
        draft.write_text(json.dumps({"space_id": self._space_id, "token": self.token, "entries": entries}))
        draft.replace(self._folder / STATE)

    def take(self, node: document_pb2.Node) -> bool:
        """Takes a node as it is now; whether it is a folder that was not known, whose content is to be listed."""
        known = self.entries.get(node.node_id)
        entry = Entry(node.parent_id, node.name, node.version.sha256, known.path if known else "")
        self.entries[node.node_id] = entry
        self._unchecked.add(node.node_id)
        self._untold.discard(node.node_id)
        return known is None and entry.is_folder

    def drop(self, node_id: str) -> None:
        """Forgets a node and all below it, and removes what was brought of them."""
        for below in [known for known in self._below(node_id) if known in self.entries]:
            self._remove(self.entries.pop(below))

    async def bring(self, client: Client) -> None:
        """Makes the folder as the space is: moves, removes and fetches what differs.

        Each file is looked at once in a run, and again when it was told.
        """
        for node_id in sorted(self._untold):
            self.drop(node_id)
        self._untold.clear()
        places = {node_id: place for node_id in self.entries if (place := self._place(node_id))}
        for node_id in places:
            self._put_aside(node_id)
        for node_id, place in sorted(places.items(), key=lambda item: item[1].count("/")):
            entry = self.entries[node_id]
            if entry.path != place or node_id in self._unchecked:
                await self._settle(client, node_id, entry, place)
                self._unchecked.discard(node_id)

    async def _settle(self, client: Client, node_id: str, entry: Entry, place: str) -> None:
        """Has the node at its place, whose folder is there."""
        target = self._folder / place
        target.parent.mkdir(parents=True, exist_ok=True)
        if entry.path and entry.path != place:
            _make_room(target)
            self._move(node_id, place)
        if entry.is_folder:
            if target.is_symlink() or not target.is_dir():
                _make_room(target)
                target.mkdir()
        elif not _has(target, entry.sha256):
            fetched = self._aside / node_id
            fetched.unlink(missing_ok=True)
            try:
                await download(client, node_id, fetched, title=place)
            except grpc.aio.AioRpcError as error:
                if error.code() is not grpc.StatusCode.NOT_FOUND:
                    raise
                return  # it has gone since, which will be told
            if entry.path != place or not target.is_file():
                _make_room(target)
            fetched.replace(target)
            note(place)
        entry.path = place

    def _place(self, node_id: str) -> str:
        """The path in the folder; empty of the space itself, and of what it has no place for."""
        names = list[str]()
        while node_id != self._space_id:
            entry = self.entries.get(node_id)
            if entry is None or len(names) > len(self.entries):
                return ""
            if entry.name in {"", ".", ".."} or "/" in entry.name or "\0" in entry.name:
                raise Invalid(f"the name {entry.name!r} cannot be a file here")
            names.append(entry.name)
            node_id = entry.parent_id
        if names and names[-1].casefold() in _OWN:
            note(f"left out, the name is of this program: {names[-1]}")
            return ""
        return str(PurePosixPath(*reversed(names))) if names else ""

    def _put_aside(self, node_id: str) -> None:
        """Takes a node that lies elsewhere than in its folder, by its name, out of the way of the others."""
        entry = self.entries[node_id]
        if not entry.path:
            return
        above = self.entries.get(entry.parent_id)
        inside = above.path if above and entry.parent_id != self._space_id else ""
        there = inside or entry.parent_id == self._space_id
        if not there or entry.path != str(PurePosixPath(inside, entry.name)):
            self._move(node_id, f"{_ASIDE}/{node_id}")

    def _move(self, node_id: str, to: str) -> None:
        """Moves what lies here of a node, and says so of all in it."""
        entry = self.entries[node_id]
        before = entry.path
        if not (self._folder / before).exists():
            entry.path = ""
            return
        (self._folder / before).rename(self._folder / to)
        entry.path = to
        if entry.is_folder:
            for other in self.entries.values():
                if other.path.startswith(f"{before}/"):
                    other.path = to + other.path.removeprefix(before)
        self.save()

    def _find(self) -> None:
        """Looks where all lies: a run that was broken off may have left it aside, or people have taken it away."""
        for node_id, entry in self.entries.items():
            aside = self._aside / node_id
            if entry.is_folder and aside.is_dir():
                before, entry.path = entry.path, f"{_ASIDE}/{node_id}"
                for other in self.entries.values():
                    if before and other.path.startswith(f"{before}/"):
                        other.path = entry.path + other.path.removeprefix(before)
        for entry in self.entries.values():
            if entry.path and not (self._folder / entry.path).exists():
                entry.path = ""

    def _below(self, node_id: str) -> Iterator[str]:
        """The node after all that lies below it."""
        for known, entry in list(self.entries.items()):
            if entry.parent_id == node_id:
                yield from self._below(known)
        yield node_id

    def _remove(self, entry: Entry) -> None:
        path = self._folder / entry.path
        if not entry.path:
            return
        if entry.is_folder:
            if path.is_dir() and not any(path.iterdir()):
                path.rmdir()
        elif _has(path, entry.sha256):
            path.unlink()


def _has(path: Path, sha256: str) -> bool:
    """Whether the file is there with that content."""
    if path.is_symlink() or not path.is_file():
        return False
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest() == sha256


def _make_room(path: Path) -> None:
    """Gives what somebody has put there another name."""
    number = 1
    while path.is_symlink() or path.exists():
        word = f" (local {number})" if number > 1 else " (local)"
        other = path.with_name(f"{path.stem}{word}{path.suffix}")
        if not other.exists():
            path.rename(other)
            note(f"kept as {other.name}: {path.name}")
        number += 1
