"""A MongoDB-compatible server (SecantusDB), run as a program of its own and never imported.

`secantusd-rs` when it is on the PATH, else `secantusd-py` of this environment. Both sync each commit: without
that they lose acknowledged writes when killed.
"""

import shutil
import sys
from pathlib import Path

from devstack.program import LOOPBACK, Missing, Program, free_port, listens


class Mongo(Program):
    """A single-node store; `kill` and `start` again keep its data and its port.

    With `default` it is the one that comes with the environment, whatever is on the PATH.
    """

    def __init__(self, folder: Path, *, port: int | None = None, default: bool = False) -> None:
        super().__init__("mongo", folder)
        self._port = port or free_port()
        self._server = None if default else shutil.which("secantusd-rs")

    @property
    def uri(self) -> str:
        """The URI for drivers; the Python server slows down under retryable writes, so it goes without."""
        options = "" if self._server else "?retryWrites=false"
        return f"mongodb://{LOOPBACK}:{self._port}/{options}"

    def command(self) -> list[str]:
        server = self._server or shutil.which("secantusd-py", path=str(Path(sys.executable).parent))
        if server is None:
            raise Missing("the embedded store is missing: pip install SecantusDB, or set MONGODB_URI")
        data = self.folder / "data"
        data.mkdir(parents=True, exist_ok=True)
        return [server, "--host", LOOPBACK, "--port", str(self._port), "--storage-path", str(data), "--sync-on-commit"]

    def ready(self) -> bool:
        return listens(self._port)
