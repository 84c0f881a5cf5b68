"""`python -m tests.cluster.load GRPC SMTP TOKEN`: calls and mail sessions until SIGTERM, then what failed.

Nothing is tried again here: a call that a rolling update loses is a failure.
"""

import asyncio
import json
import signal
import smtplib
import sys
from typing import Final

import grpc.aio
from rossio.directory.v1 import service_pb2
from rossio.directory.v1.service_pb2_grpc import DirectoryServiceStub

_CALLS_A_CHANNEL: Final = 20
_PAUSE: Final = 0.02
_OPTIONS: Final = (("grpc.enable_retries", 0), ("grpc.use_local_subchannel_pool", 1))


class Load:
    def __init__(self, address: str, smtp: str, token: str) -> None:
        self._address = address
        self._smtp = smtp
        self._metadata = (("authorization", f"Bearer {token}"),)
        self._ended = asyncio.Event()
        self.done = {"calls": 0, "sessions": 0}
        self.failed: list[str] = []

    async def run(self) -> None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, self._ended.set)
        await asyncio.gather(self._calls(), self._sessions())

    async def _calls(self) -> None:
        while not self._ended.is_set():
            async with grpc.aio.insecure_channel(self._address, options=_OPTIONS) as channel:
                directory = DirectoryServiceStub(channel)
                for _ in range(_CALLS_A_CHANNEL):
                    try:
                        await directory.ListEntities(
                            service_pb2.ListEntitiesRequest(page_size=1), metadata=self._metadata, timeout=30
                        )
                    except grpc.aio.AioRpcError as error:
                        self.failed.append(f"call: {error.code().name} {error.details()}")
                    self.done["calls"] += 1
                    await asyncio.sleep(_PAUSE)

    async def _sessions(self) -> None:
        while not self._ended.is_set():
            try:
                await asyncio.to_thread(self._session)
            except (OSError, smtplib.SMTPException) as error:
                self.failed.append(f"SMTP: {error}")
            self.done["sessions"] += 1
            await asyncio.sleep(_PAUSE)

    def _session(self) -> None:
        host, _, port = self._smtp.rpartition(":")
        with smtplib.SMTP(host, int(port), timeout=30) as session:
            session.ehlo()


async def main() -> None:
    load = Load(*sys.argv[1:])
    await load.run()
    print(json.dumps({**load.done, "failed": load.failed}))


if __name__ == "__main__":
    asyncio.run(main())
