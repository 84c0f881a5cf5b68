"""Loads CSV files into the directory through its gRPC interface, as an operator would."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import rpc
from errors import Invalid
from rossio.directory.v1 import service_pb2
from rossio.directory.v1.service_pb2_grpc import DirectoryServiceStub

TABLES: Final = ("entities", "units", "people", "groups")
_CHUNK_BYTES = 256 * 1024


async def import_folder(
    directory: DirectoryServiceStub, folder: Path, options: service_pb2.ImportOptions
) -> service_pb2.ImportResponse:
    """Streams the tables of a folder (entities.csv, units.csv, people.csv, groups.csv, or some of them).

    Raises:
        Invalid: the folder holds none of the files.
    """
    files = [(table, folder / f"{table}.csv") for table in TABLES if (folder / f"{table}.csv").exists()]
    if not files:
        raise Invalid(f"{folder} holds none of {', '.join(f'{table}.csv' for table in TABLES)}")

    async def parts() -> AsyncIterator[service_pb2.ImportRequest]:
        yield service_pb2.ImportRequest(options=options)
        for name, file in files:
            with file.open("rb") as content:
                while data := content.read(_CHUNK_BYTES):
                    yield service_pb2.ImportRequest(chunk=service_pb2.ImportChunk(table=name, data=data))

    return await rpc.repeated(lambda: directory.Import(parts()))
