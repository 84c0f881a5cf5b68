"""What a running stack says of itself, for the commands that talk to it: `.rossio/stack.json`."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

from errors import NotFound

PATH: Final = Path(".rossio/stack.json")


@dataclass(frozen=True, slots=True)
class Stack:
    """Where everything of a running stack is; addresses are host:port, folders are absolute."""

    endpoints: dict[str, str]
    """gRPC address by service name."""
    admin: dict[str, str]
    """Address of /metrics, /livez and /readyz by service name."""
    smtp: str
    kafka: str
    mongodb: str
    issuer: str
    """The folder of the issuer's key."""
    maildirs: str
    """The folder that holds a Maildir for each person; empty: it is elsewhere."""
    spans: str
    """The spans that the services exported, a JSON object a line."""
    sms_log: str
    """What the simulated SMS provider was given, a JSON object a line."""
    submission: str = ""
    """Where mail is handed in, after STARTTLS and AUTH; empty: it is elsewhere."""
    certificate: str = ""
    """The certificate of what is served over TLS, which is its own authority."""
    http: dict[str, str] = field(default_factory=dict)
    """Address for browsers by service name, of those that have one."""

    def write(self, path: Path = PATH) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(self), indent=2) + "\n")


def read(path: Path = PATH) -> Stack:
    """The running stack of this folder.

    Raises:
        NotFound: none was started here.
    """
    try:
        return Stack(**json.loads(path.read_text()))
    except FileNotFoundError as error:
        raise NotFound("no embedded stack runs in this folder: start one with `rossio up`") from error
