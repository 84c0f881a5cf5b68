"""What the end-to-end tests are given."""

from dataclasses import dataclass
from pathlib import Path

from cli.demo.stage import Stage
from devstack.suite import Suite


@dataclass(frozen=True, slots=True)
class Running:
    """The suite, its stage, and where its programs write spans and logs."""

    suite: Suite
    stage: Stage
    spans: Path

    def logs(self) -> str:
        return "".join(path.read_text(errors="replace") for path in self.suite.folder.rglob("*.log"))
