"""What this service is told from outside, beside what every service is."""

from datetime import timedelta
from typing import Annotated

import service
from pydantic import Field, SecretStr


class Settings(service.Settings):
    grpc_address: service.Address = "127.0.0.1:7104"
    admin_address: service.Address = "127.0.0.1:7204"

    http_address: service.Address = "127.0.0.1:7304"
    """Where feeds are served: GET /feeds/{token}.atom and .json."""
    alert_sender: Annotated[str, Field(pattern=r"^[^\s,<&]+$")] = "news@rossio.test"
    """Who we are in alerts that go out (CAP 1.2, sender)."""
    fold_after: timedelta = timedelta(minutes=10)
    """How long what readers did stands in documents of its own before it is folded into one; ISO 8601."""
    least_approvals: Annotated[int, Field(ge=0, le=10)] = 0
    """How many approvers every post needs, whatever its editor says."""
    remind_before: tuple[timedelta, ...] = (timedelta(days=3), timedelta(days=1), timedelta(0))
    """How long before the deadline those who have not acknowledged are reminded; JSON, ISO 8601."""
    roll_key: SecretStr | None = None
    """The seed of the Ed25519 key that signs rolls, 32 bytes in base64; without it a key file in DATA_PATH."""
    roll_keys_before: tuple[str, ...] = ()
    """The public keys that signed rolls before it, base64 each; JSON."""
