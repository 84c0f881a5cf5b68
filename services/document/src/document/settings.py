"""What this service is told from outside, beside what every service is."""

from pathlib import Path
from typing import Annotated

import service
from pydantic import Field


class Settings(service.Settings):
    grpc_address: service.Address = "127.0.0.1:7103"
    admin_address: service.Address = "127.0.0.1:7203"
    data_path: Path = Path(".rossio/document")
    max_file_bytes: Annotated[int, Field(ge=0)] = 50 << 30
    """The largest file."""
    space_quota_bytes: Annotated[int, Field(ge=0)] = 0
    """What a space may hold for which nobody has set another limit; 0: as much as one likes."""
    entity_quota_bytes: Annotated[int, Field(ge=0)] = 0
    """The same for an entity."""
