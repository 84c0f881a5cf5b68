"""An HTTP server as a component. Imported only by services that speak HTTP."""

from typing import Final

import telemetry
from aiohttp import web

from service.addresses import binding, host_and_port

log = telemetry.logger(__name__)

_READ_AHEAD: Final = 512 << 10


class Web:
    """Serves an application; at the end requests in hand have `drain_seconds` to end."""

    def __init__(self, application: web.Application, address: str, setting: str, drain_seconds: float) -> None:
        self._address = address
        self._setting = setting
        self._runner = web.AppRunner(
            application,
            access_log=None,
            shutdown_timeout=drain_seconds,
            read_bufsize=_READ_AHEAD,
        )

    async def start(self) -> None:
        await self._runner.setup()
        host, port = host_and_port(self._address)
        with binding(self._address, self._setting):
            await web.TCPSite(self._runner, host or None, port).start()
        log.info("serves HTTP", port=self._runner.addresses[0][1])

    async def stop(self) -> None:
        await self._runner.cleanup()
