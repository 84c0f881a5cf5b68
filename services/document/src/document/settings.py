"""What this service is told from outside, beside what every service is."""

from pathlib import Path
from typing import Annotated

import service
from pydantic import Field


class Settings(service.Settings):
    grpc_address: service.Address = "127.0.0.1:7103"
    admin_address: service.Address = "127.0.0.1:7203"
    http_address: service.Address = "127.0.0.1:7303"
    """Uploads by tus, and downloads, in clear: for a proxy that ends TLS."""
    links_url: str = ""
    """Where people find HTTP_ADDRESS, to be written before links; empty: that address."""
    http_origins: tuple[str, ...] = ()
    """Of pages whose scripts may use HTTP_ADDRESS in a browser, such as `https://area.example.pt`; a JSON list."""
    data_path: Path = Path(".rossio/document")
    max_file_bytes: Annotated[int, Field(ge=0)] = 50 << 30
    """The largest file."""
    space_quota_bytes: Annotated[int, Field(ge=0)] = 0
    """What a space may hold for which nobody has set another limit; 0: as much as one likes."""
    entity_quota_bytes: Annotated[int, Field(ge=0)] = 0
    """The same for an entity."""
    upload_hours: Annotated[float, Field(gt=0, le=24)] = 24
    """How long an upload in several goes may take before it is given up."""
    collect_after_seconds: Annotated[float, Field(ge=1)] = 48 * 3600
    """How long content that nothing refers to stays; longer than any call that uploads may take."""
    purge_rests_seconds: Annotated[float, Field(ge=0)] = 60
    """How long what was purged rests before it is removed: longer than any write is on its way."""
    extract_max_bytes: Annotated[int, Field(ge=0)] = 64 << 20
    """The largest file into which search looks; a larger one is found by its name alone."""
    extract_memory_bytes: Annotated[int, Field(ge=128 << 20)] = 512 << 20
    """How much address space the process may have that looks into one file; it holds the file in memory."""
    extract_seconds: Annotated[float, Field(gt=0, le=60)] = 30
    """How long it may take."""
    extract_processes: Annotated[int, Field(ge=1, le=64)] = 2
    """How many of them run at once."""
    reconcile_seconds: Annotated[float, Field(ge=1)] = 3600
    """How often the index is compared with all that is in the store."""
