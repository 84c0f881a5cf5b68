"""Personal feeds for feed readers: GET /feeds/{token}.atom and /feeds/{token}.json."""

import hashlib
from http import HTTPStatus
from typing import Final

import telemetry
from aiohttp import web
from errors import NotFound, Transient

from news.application.syndicate import Syndicate
from news.domain import syndication

_TITLES: Final = {"pt": "Notícias do Ministério", "en": "News of the ministry"}


class FeedPages:
    """The routes. The address is the secret, so nothing of it is logged, and nobody else caches it."""

    def __init__(self, syndicate: Syndicate) -> None:
        self._syndicate = syndicate

    def application(self) -> web.Application:
        application = web.Application(client_max_size=1)
        application.router.add_get(r"/feeds/{token:[A-Za-z0-9_-]{43}}.{form:atom|json}", self._feed)
        return application

    async def _feed(self, request: web.Request) -> web.Response:
        with telemetry.observe("news.feed", kind=telemetry.Kind.SERVER):
            return await self._answer(request)

    async def _answer(self, request: web.Request) -> web.Response:
        """With an ETag of what is in it (RFC 9110, section 13.1.2)."""
        try:
            person, entries = await self._syndicate.read(request.match_info["token"])
        except NotFound:
            return web.Response(status=HTTPStatus.NOT_FOUND)
        except Transient:
            return web.Response(status=HTTPStatus.SERVICE_UNAVAILABLE, headers={"Retry-After": "30"})
        title = _TITLES["en" if person.locale.startswith("en") else "pt"]
        if request.match_info["form"] == "atom":
            # Not the person's id: whoever is shown the feed need not learn whose it is.
            feed_id = hashlib.sha256(request.match_info["token"].encode()).hexdigest()[:32]
            body, kind = syndication.atom(feed_id, title, entries), "application/atom+xml"
        else:
            body, kind = syndication.json_feed(title, entries), "application/feed+json"
        tag = hashlib.blake2b(body, digest_size=16).hexdigest()
        headers = {"ETag": f'"{tag}"', "Cache-Control": "private, no-cache"}
        if request.if_none_match and any(each.value in {tag, "*"} for each in request.if_none_match):
            return web.Response(status=HTTPStatus.NOT_MODIFIED, headers=headers)
        return web.Response(body=body, content_type=kind, charset="utf-8", headers=headers)
