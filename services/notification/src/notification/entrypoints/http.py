"""Where providers bring their receipts, POST /receipts/sms, and mails are ended, POST /unsubscribe/<token>."""

from collections.abc import Callable
from datetime import datetime
from http import HTTPStatus
from typing import Final

import telemetry
from aiohttp import web
from errors import Invalid, NotAllowed, Transient

from notification.adapters.sms import read_receipt
from notification.adapters.unsubscribing import UnsubscribeLinks
from notification.application.record_receipt import RecordReceipt
from notification.application.unsubscribe import Unsubscribe
from notification.domain.vocabulary import Channel, Receipted

_log = telemetry.logger(__name__)
_LONGEST_BODY: Final = 16 * 1024
_PAGE: Final = '<!DOCTYPE html><html lang="pt"><meta charset="utf-8"><title>Rossio</title><body>{}</body></html>'
_QUESTION: Final = _PAGE.format(
    '<form method="post"><p>Quer deixar de receber mensagens deste tipo? Stop receiving messages like this?</p>'
    '<button name="List-Unsubscribe" value="One-Click">Sim / Yes</button></form>'
)
_DONE: Final = _PAGE.format("<p>Não receberá mais mensagens deste tipo. You will receive no more of these.</p>")


class Receipts:
    """The routes. A receipt is answered 2xx when the provider need not come again."""

    def __init__(
        self,
        secret: str,
        record: RecordReceipt,
        links: UnsubscribeLinks,
        unsubscribe: Unsubscribe,
        now: Callable[[], datetime],
    ) -> None:
        self._secret = secret
        self._record = record
        self._links = links
        self._unsubscribe = unsubscribe
        self._now = now

    def application(self) -> web.Application:
        application = web.Application(client_max_size=_LONGEST_BODY)
        application.router.add_post("/receipts/sms", self._take)
        application.router.add_get("/unsubscribe/{token}", self._ask)
        application.router.add_post("/unsubscribe/{token}", self._end)
        return application

    async def _take(self, request: web.Request) -> web.Response:
        with telemetry.observe("notification.receipt", kind=telemetry.Kind.SERVER):
            outcome, status = await self._outcome(request)
        telemetry.names.NOTIFICATION_RECEIPTS.bind(channel=Channel.SMS.value, outcome=outcome).inc()
        return web.Response(status=status)

    async def _ask(self, request: web.Request) -> web.Response:
        """Who opens the link is asked: programs that look at all links of a mail end nothing (RFC 8058, 3.2)."""
        if self._links.read(request.match_info["token"]) is None:
            return web.Response(status=HTTPStatus.NOT_FOUND)
        return web.Response(text=_QUESTION, content_type="text/html")

    async def _end(self, request: web.Request) -> web.Response:
        with telemetry.observe("notification.unsubscribe", kind=telemetry.Kind.SERVER):
            notification_id = self._links.read(request.match_info["token"])
            try:
                known = notification_id is not None and await self._unsubscribe(notification_id, self._now())
            except Transient as error:
                _log.warning("an unsubscription has to come again", reason=error.reason)
                return web.Response(status=HTTPStatus.SERVICE_UNAVAILABLE)
        return web.Response(text=_DONE, content_type="text/html") if known else web.Response(status=404)

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
        except (Invalid, web.HTTPRequestEntityTooLarge):
            return "unreadable", HTTPStatus.BAD_REQUEST
        if receipt.delivered is None:
            return "passing", HTTPStatus.NO_CONTENT
        notification_id, _, channel = receipt.key.rpartition(".")
        if channel != Channel.SMS:
            return Receipted.UNKNOWN.value, HTTPStatus.NO_CONTENT
        try:
            done = await self._record(notification_id, Channel.SMS, delivered=receipt.delivered, at=self._now())
        except Transient as error:
            _log.warning("a receipt has to come again", reason=error.reason)
            return "refused", HTTPStatus.SERVICE_UNAVAILABLE
        return done.value, HTTPStatus.NO_CONTENT
