"""Named points at which a test can kill the process, as a power cut would.

`ROSSIO_KILL_AT="name:n"` makes the process send itself SIGKILL when it passes the point for the n-th
time (`:n` left out: the first). Without the variable a point does nothing.
"""

import os
import signal
import sys

_name, _, _count = os.environ.get("ROSSIO_KILL_AT", "").partition(":")
_left = int(_count or 1)


def reached(name: str) -> None:
    """Says that the named point between two effects is reached."""
    if _name and name == _name:
        _pass()


def _pass() -> None:
    global _left  # noqa: PLW0603 - the process is the scope
    _left -= 1
    if _left <= 0:
        sys.stderr.write(f'{{"event": "killed at {_name}"}}\n')
        sys.stderr.flush()
        os.kill(os.getpid(), signal.SIGKILL)
