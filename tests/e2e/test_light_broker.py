"""`rossio demo` and `rossio up` as a newcomer runs them: on the light broker, with no Java."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from devstack.program import listens


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


def test_the_suite_stays_up_and_what_it_says_to_try_works(tmp_path: Path) -> None:
    """Endpoints that answer, a token that opens one, commands that can be pasted; and Ctrl-C ends it all."""
    environment = {key: value for key, value in os.environ.items() if key not in {"KAFKA_BOOTSTRAP", "MONGODB_URI"}}
    environment |= {"ROSSIO_BROKER": "light", "COLUMNS": "200"}
    rossio = str(Path(sys.executable).with_name("rossio"))
    shutil.copy(Path(__file__).parents[2] / "README.md", tmp_path)
    up = subprocess.Popen(
        [rossio, "up"],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    assert up.stdout is not None
    try:
        said = ""
        while "swaks" not in said:
            line = up.stdout.readline()
            assert line, said
            said += line
        assert "\x1b" not in said, "plain where nobody looks at a terminal"
        for address in re.findall(r"(?:gRPC|HTTP|SMTP|submission) (127\.0\.0\.1:\d+)", said):
            host, _, port = address.partition(":")
            socket.create_connection((host, int(port)), timeout=10).close()
        for address in re.findall(r"http://\S+/metrics", said):
            urllib.request.urlopen(address, timeout=10).close()
        (document,) = re.findall(r"document +gRPC .* HTTP (\S+)", said)
        token = next(line for line in said.splitlines() if line.count(".") == 2 and line.startswith("ey"))
        asked = urllib.request.Request(f"http://{document}/files/none", headers={"Authorization": f"Bearer {token}"})
        with pytest.raises(urllib.error.HTTPError) as unknown:
            urllib.request.urlopen(asked, timeout=10)
        unknown.value.close()
        assert unknown.value.code == 404, "the token counts, and there is no such file"
        commands = re.findall(r"^  (\S*rossio .*)$", said, re.MULTILINE)
        assert len(commands) >= 3
        for command in commands:
            done = subprocess.run(
                ["bash", "-c", command.replace(".venv/bin/rossio", rossio)],
                cwd=tmp_path,
                env=environment,
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, command + done.stdout + done.stderr
    finally:
        os.killpg(up.pid, signal.SIGINT)
        code = up.wait(60)
        up.stdout.close()
    assert code in {0, 130}
    for address in re.findall(r"(?:gRPC|HTTP|SMTP|submission) 127\.0\.0\.1:(\d+)", said):
        assert not listens(int(address))
