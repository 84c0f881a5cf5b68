"""`rossio demo` as a newcomer runs it: on the light broker, with no Java, and with the exit status it promises."""

import os
import subprocess
import sys
from pathlib import Path


def test_the_demo_holds_on_the_embedded_defaults(tmp_path: Path) -> None:
    environment = {key: value for key, value in os.environ.items() if key not in {"KAFKA_BOOTSTRAP", "MONGODB_URI"}}
    done = subprocess.run(
        [Path(sys.executable).with_name("rossio"), "demo"],
        cwd=tmp_path,
        env=environment | {"ROSSIO_BROKER": "light"},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "6 of 6 steps done and checked" in done.stdout
