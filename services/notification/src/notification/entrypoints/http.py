"""Where providers bring their receipts: POST /receipts/sms."""

from collections.abc import Callable
from datetime import datetime
from http import HTTPStatus
from typing import Final

import service
import telemetry
from aiohttp import web
from errors import Invalid, NotAllowed, Transient

from notification.adapters.sms import read_receipt
from notification.application.record_receipt import RecordReceipt
from notification.domain.vocabulary import Channel

_log = telemetry.logger(__name__)
_LONGEST_BODY: Final = 16 * 1024


class Receipts:
    """A small HTTP server; it answers 2xx when the provider need not come again."""

    def __init__(self, address: str, secret: str, record: RecordReceipt, now: Callable[[], datetime]) -> None:
        self._address = address
        self._secret = secret
        self._record = record
        self._now = now
        application = web.Application(client_max_size=_LONGEST_BODY)
        application.router.add_post("/receipts/sms", self._take)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=5)

    async def start(self) -> None:
        host, port = service.host_and_port(self._address)
        await self._runner.setup()
        with service.binding(self._address, "RECEIPTS_ADDRESS"):
            await web.TCPSite(self._runner, host or None, port).start()

    async def stop(self) -> None:
        await self._runner.cleanup()

    async def _take(self, request: web.Request) -> web.Response:
        with telemetry.observe("notification.receipt", kind=telemetry.Kind.SERVER):
            outcome, status = await self._outcome(request)
        telemetry.names.NOTIFICATION_RECEIPTS.bind(channel=Channel.SMS.value, outcome=outcome).inc()
        return web.Response(status=status)

    async def _outcome(self, request: web.Request) -> tuple[str, HTTPStatus]:
        """What was done with the receipt, and the answer. One for nothing that we know is not asked for again."""
        try:
            receipt = read_receipt(
                await request.read(),
                timestamp=request.headers.get("Signature-Timestamp", ""),
                signature=request.headers.get("Signature", ""),
                secret=self._secret,
                now=self._now(),
            )
        except NotAllowed:
            return "forged", HTTPStatus.UNAUTHORIZED
        except Invalid:
            return "unreadable", HTTPStatus.BAD_REQUEST
        if receipt.delivered is None:
            return "passing", HTTPStatus.NO_CONTENT
        notification_id, _, channel = receipt.key.rpartition(".")
        if channel != Channel.SMS:
            return "unknown", HTTPStatus.NO_CONTENT
        try:
            known = await self._record(notification_id, Channel.SMS, delivered=receipt.delivered, at=self._now())
        except Transient as error:
            _log.warning("a receipt has to come again", reason=error.reason)
            return "refused", HTTPStatus.SERVICE_UNAVAILABLE
        return ("taken" if known else "unknown"), HTTPStatus.NO_CONTENT
