"""`rossio doc sync`: keeps a folder of this machine as a space is, one way, by the change feed.

What the space has comes down and is checked by its hash; what goes there goes here too. Files that
this command did not bring stay as they are, and nothing ever goes up.
"""

import hashlib
import json
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Annotated, Final, Self

import typer
from errors import Invalid
from rossio.document.v1 import document_pb2, service_pb2

from cli.client import Client, connect
from cli.command import As, note, sync
from cli.doc_transfer import download

_STATE: Final = ".rossio-sync.json"
_PAGE: Final = 1000


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
    """The folder, and what is known of the space; written down after each step, so that it can go on."""

    def __init__(self, folder: Path, space_id: str) -> None:
        self._folder = folder
        self._space_id = space_id
        self.token = ""
        self.entries: dict[str, Entry] = {}
        self._unchecked = set[str]()

    @classmethod
    def opened(cls, folder: Path, space_id: str) -> Self:
        """Raises:
        Invalid: the folder is a copy of another space.
        """
        copy = cls(folder, space_id)
        folder.mkdir(parents=True, exist_ok=True)
        state = folder / _STATE
        if state.exists():
            known = json.loads(state.read_text())
            if known["space_id"] != space_id:
                raise Invalid(f"{folder} is a copy of another space")
            copy.token = known["token"]
            copy.entries = {node_id: Entry(**entry) for node_id, entry in known["entries"].items()}
            copy._unchecked = set(copy.entries)
        return copy

    def save(self) -> None:
        entries = {node_id: asdict(entry) for node_id, entry in self.entries.items()}
        draft = self._folder / f"{_STATE}.new"
        draft.write_text(json.dumps({"space_id": self._space_id, "token": self.token, "entries": entries}))
        draft.replace(self._folder / _STATE)

    def take(self, node: document_pb2.Node) -> bool:
        """Takes a node as it is now; whether it is a folder that was not known, whose content is to be listed."""
        known = self.entries.get(node.node_id)
        entry = Entry(node.parent_id, node.name, node.version.sha256, known.path if known else "")
        self.entries[node.node_id] = entry
        self._unchecked.add(node.node_id)
        return known is None and entry.is_folder

    def drop(self, node_id: str) -> None:
        """Forgets a node and all below it, and removes what was brought of them."""
        for below in [known for known in self._below(node_id) if known in self.entries]:
            self._remove(self.entries.pop(below))

    async def bring(self, client: Client) -> None:
        """Makes the folder as the space is: moves, removes and fetches what differs.

        Each file is looked at once in a run, and again when it was told.
        """
        places = {node_id: self._place(node_id) for node_id in self.entries}
        for node_id, place in sorted(places.items(), key=lambda item: item[1] or ""):
            entry = self.entries[node_id]
            if place is None or node_id == self._space_id:
                continue
            if entry.path and entry.path != place:
                self._move(entry, place)
            target = self._folder / place
            if entry.path == place and node_id not in self._unchecked:
                continue
            if entry.is_folder:
                target.mkdir(parents=True, exist_ok=True)
            elif not _has(target, entry.sha256):
                target.parent.mkdir(parents=True, exist_ok=True)
                target.unlink(missing_ok=True)
                await download(client, node_id, target)
                note(place)
            entry.path = place
            self._unchecked.discard(node_id)

    def _place(self, node_id: str) -> str | None:
        """The path in the folder; None when what it lies in is not known."""
        names = list[str]()
        while node_id != self._space_id:
            entry = self.entries.get(node_id)
            if entry is None or len(names) > len(self.entries):
                return None
            if entry.name in {"", ".", "..", _STATE} or "/" in entry.name or "\0" in entry.name:
                raise Invalid(f"the name {entry.name!r} cannot be a file here")
            names.append(entry.name)
            node_id = entry.parent_id
        return str(PurePosixPath(*reversed(names)))

    def _below(self, node_id: str) -> Iterator[str]:
        """The node after all that lies below it."""
        for known, entry in list(self.entries.items()):
            if entry.parent_id == node_id:
                yield from self._below(known)
        yield node_id

    def _move(self, entry: Entry, place: str) -> None:
        source, target = self._folder / entry.path, self._folder / place
        if source.exists() and not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(source, target)
        else:
            self._remove(entry)

    def _remove(self, entry: Entry) -> None:
        path = self._folder / entry.path
        if not entry.path:
            return
        if entry.is_folder:
            if path.is_dir() and not any(path.iterdir()):
                path.rmdir()
        elif _has(path, entry.sha256):
            path.unlink()


@sync
async def sync_space(
    space: Annotated[str, typer.Argument(help="The space.")],
    folder: Annotated[Path, typer.Argument(file_okay=False, help="Where its copy is kept.")],
    once: Annotated[bool, typer.Option(help="Ends when the copy is as the space is now.")] = False,
    caller: As = None,
) -> None:
    """Keeps a folder as a space is, one way down; goes on where it ended."""
    copy = Copy.opened(folder, space)
    async with connect(caller) as client:
        request = service_pb2.WatchRequest(space_id=space, resume_token=copy.token)
        async for change in client.changes.Watch(request):
            match change.WhichOneof("change"):
                case "node":
                    if copy.take(change.node):
                        await _list_below(client, copy, change.node.node_id)
                case "gone_node_id":
                    copy.drop(change.gone_node_id)
                case _:
                    await copy.bring(client)
                    copy.token = change.resume_token
                    copy.save()
                    if once:
                        return


async def _list_below(client: Client, copy: Copy, node_id: str) -> None:
    """Takes all below a folder that came into sight."""
    waiting = [node_id]
    while waiting:
        request = service_pb2.ListFolderRequest(node_id=waiting.pop(), page_size=_PAGE)
        while True:
            page = await client.document.ListFolder(request)
            for node in page.nodes:
                copy.take(node)
                if node.kind == document_pb2.NODE_KIND_FOLDER:
                    waiting.append(node.node_id)
            if not page.next_page_token:
                break
            request.page_token = page.next_page_token


def _has(path: Path, sha256: str) -> bool:
    """Whether the file is there with that content."""
    if path.is_symlink() or not path.is_file():
        return False
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest() == sha256
