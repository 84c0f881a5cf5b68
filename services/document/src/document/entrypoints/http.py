"""Files over HTTP/1.1: uploads by tus 1.0, and GET with ranges (RFC 9110), with the tokens of gRPC; links without.

    POST    /uploads            creation: Upload-Length, Upload-Metadata; with content or without
    HEAD    /uploads/{id}       where it stands
    PATCH   /uploads/{id}       content from Upload-Offset on; Upload-Checksum if given
    DELETE  /uploads/{id}       termination
    GET     /files/{node_id}    the content, or one range of it; `version` in the query for an older one
    GET     /links/{text}       what a link leads to, for whoever holds it; its password by Basic authentication

Upload-Metadata takes the names of the header of an upload over gRPC (parent_id, name, node_id, etag,
sha256, media_type, request_id) and, as clients for browsers call them, filename and filetype. With
the last byte comes Rossio-Node-Id. What comes whole with its creation is listed then, and needs no upload to
go on with. A failure is application/problem+json (RFC 9457).
"""

import asyncio
import base64
import binascii
import hashlib
import json
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from datetime import UTC
from email.utils import format_datetime
from typing import Final
from uuid import uuid4

import rpc
import telemetry
from aiohttp import web
from errors import Conflict, Exhausted, Invalid, NotAllowed, NotFound, RossioError, Transient, Unauthenticated

from document.application.download import download
from document.application.open_link import OpenLink
from document.application.ports import Content, Nodes
from document.application.resumable import CHECKSUMS, Progress, ResumableUpload
from document.domain.content import Announced
from document.domain.links import taken_apart
from document.domain.node import Act
from document.domain.permissions import GranteeKind, Subject
from document.domain.uploading import Checksum, target_of
from document.entrypoints import http_content
from document.entrypoints.acting import Acting

_VERSION: Final = "1.0.0"
_CALLER: Final = web.RequestKey("caller", rpc.Caller)
_STATUSES: Final[tuple[tuple[type[RossioError], int], ...]] = (
    (Invalid, 400),
    (Unauthenticated, 401),
    (NotAllowed, 403),
    (NotFound, 404),
    (Conflict, 409),
    (Exhausted, 429),
    (Transient, 503),
)
_OWN_STATUSES: Final = {
    "UPLOAD_EXPIRED": 410,
    "STALE_ETAG": 412,
    "TUS_VERSION": 412,
    "FILE_SIZE": 413,
    "CONTENT_TYPE": 415,
    "RANGE": 416,
    "DRAFT_BUSY": 423,
    "LOCKED": 423,
    "CHECKSUM_MISMATCH": 460,
    "QUOTA": 507,
    "LINK_PASSWORD": 401,
    "LINK_EXPIRED": 410,
    "LINK_REVOKED": 410,
    "LINK_USED_UP": 410,
    "LINK_CLOSED": 410,
}
"""Statuses that say more than the kind of error does; 460 is that of tus."""

_ANONYMOUS: Final = frozenset({"link"})
"""The routes that ask for no token: a link is one."""
_ASKED: Final = (
    *("Authorization", "Content-Type", "Range", "If-None-Match", "If-Range", "Tus-Resumable", "Upload-Length"),
    *("Upload-Offset", "Upload-Metadata", "Upload-Checksum", "X-HTTP-Method-Override", "X-Requested-With"),
)
"""The fields that pages of other origins may send."""
_TOLD: Final = (
    *("Location", "Tus-Resumable", "Tus-Version", "Tus-Extension", "Tus-Max-Size", "Tus-Checksum-Algorithm"),
    *("Upload-Offset", "Upload-Length", "Upload-Expires", "Upload-Metadata", "Rossio-Node-Id"),
    *("Accept-Ranges", "Content-Range", "Content-Disposition", "ETag"),
)
"""The fields that they may read, beside those that they always may."""
_USE: Final = "use"
_USE_SECONDS: Final = 3600
_OF_LINKS: Final = {"Cache-Control": "private, no-store", "Referrer-Policy": "no-referrer"}

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class HttpApi:
    """The routes."""

    def __init__(
        self,
        verifier: rpc.Verifier,
        nodes: Nodes,
        content: Content,
        uploads: ResumableUpload,
        open_link: OpenLink,
        acting: Acting,
        *,
        max_file_size: int,
        origins: Collection[str] = (),
    ) -> None:
        """`origins`: of the pages whose scripts may call, for browsers (CORS); by default none but those of here."""
        self._verifier = verifier
        self._nodes = nodes
        self._content = content
        self._uploads = uploads
        self._open_link = open_link
        self._acting = acting
        self._max_file_size = max_file_size
        self._origins = frozenset(origins)

    def application(self) -> web.Application:
        application = web.Application(middlewares=[self._answered])
        application.on_response_prepare.append(self._opened_to_origins)
        application.add_routes(
            [
                web.options("/uploads", self._options),
                web.options("/uploads/{upload_id}", self._options),
                web.post("/uploads", self._create),
                web.post("/uploads/{upload_id}", self._overridden),
                web.head("/uploads/{upload_id}", self._head),
                web.patch("/uploads/{upload_id}", self._patch),
                web.delete("/uploads/{upload_id}", self._delete),
                web.options("/files/{node_id}", self._options),
                web.get("/files/{node_id}", self._get),
                web.get("/links/{text}", self._link, name="link", allow_head=False),
            ]
        )
        return application

    @web.middleware
    async def _answered(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Who calls, then the handler, and its typed errors as problems."""
        route = request.match_info.route
        name = f"document.http.{request.method.lower()}" if route.resource else "document.http.unknown"
        try:
            with telemetry.observe(name):
                if request.method != "OPTIONS" and route.name not in _ANONYMOUS:
                    request[_CALLER] = await self._caller(request)
                return await handler(request)
        except RossioError as error:
            return _problem(error)

    async def _opened_to_origins(self, request: web.Request, response: web.StreamResponse) -> None:
        """Lets browsers give pages of known origins what they asked for (Fetch standard, CORS); all have a token."""
        if self._origins:
            response.headers["Vary"] = "Origin"
        origin = request.headers.get("Origin", "")
        if origin not in self._origins:
            return
        response.headers["Access-Control-Allow-Origin"] = origin
        response.headers["Access-Control-Expose-Headers"] = ", ".join(_TOLD)
        if request.method == "OPTIONS":
            response.headers["Access-Control-Allow-Methods"] = "GET, HEAD, POST, PATCH, DELETE"
            response.headers["Access-Control-Allow-Headers"] = ", ".join(_ASKED)
            response.headers["Access-Control-Max-Age"] = "86400"

    async def _caller(self, request: web.Request) -> rpc.Caller:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            token = ""
        return self._verifier.known(token) or await self._verifier.verify(token)

    async def _options(self, _: web.Request) -> web.Response:
        return web.Response(
            status=204,
            headers={
                "Tus-Resumable": _VERSION,
                "Tus-Version": _VERSION,
                "Tus-Extension": "creation,creation-with-upload,expiration,checksum,termination",
                "Tus-Max-Size": str(self._max_file_size),
                "Tus-Checksum-Algorithm": ",".join(CHECKSUMS),
            },
        )

    async def _create(self, request: web.Request) -> web.Response:
        _check_version(request)
        metadata = request.headers.get("Upload-Metadata", "")
        said = _metadata(metadata)
        announced = Announced.read(
            size=_number(request, "Upload-Length"),
            sha256=said.get("sha256", ""),
            media_type=said.get("media_type") or said.get("filetype", ""),
        )
        target = target_of(
            parent_id=said.get("parent_id", ""),
            name=said.get("name") or said.get("filename", ""),
            node_id=said.get("node_id", ""),
            etag=said.get("etag", ""),
        )
        caller, request_id = request[_CALLER], said.get("request_id") or uuid4().hex
        act = self._acting.act(caller, _derived(caller.entity_id, caller.subject, request_id))
        body, checksum = _body(request) if request.body_exists else None, _checksum(request)
        if body and request.content_length == announced.size and checksum is None:
            progress = await self._uploads.at_once(act, target, announced, body)
        else:
            progress = await self._uploads.begin(act, target, announced, metadata)
            if body:
                upload_id = progress.uploading.upload_id
                progress = await self._uploads.append(self._acting.act(caller, ""), upload_id, 0, body, checksum)
        location = f"/uploads/{progress.uploading.upload_id}"
        return web.Response(status=201, headers={**_standing(progress), "Location": location})

    async def _overridden(self, request: web.Request) -> web.Response:
        """For clients whose surroundings know only GET and POST."""
        match request.headers.get("X-HTTP-Method-Override", ""):
            case "PATCH":
                return await self._patch(request)
            case "DELETE":
                return await self._delete(request)
            case _:
                raise Invalid("POST begins an upload at /uploads", reason="METHOD")

    async def _head(self, request: web.Request) -> web.Response:
        _check_version(request)
        progress = await self._uploads.look(self._acting.act(request[_CALLER], ""), request.match_info["upload_id"])
        headers = {**_standing(progress), "Cache-Control": "no-store"}
        if progress.uploading.metadata:
            headers["Upload-Metadata"] = progress.uploading.metadata
        return web.Response(headers=headers)

    async def _patch(self, request: web.Request) -> web.Response:
        _check_version(request)
        progress = await self._uploads.append(
            self._acting.act(request[_CALLER], ""),
            request.match_info["upload_id"],
            _number(request, "Upload-Offset"),
            _body(request),
            _checksum(request),
        )
        return web.Response(status=204, headers=_standing(progress))

    async def _delete(self, request: web.Request) -> web.Response:
        _check_version(request)
        await self._uploads.give_up(self._acting.act(request[_CALLER], ""), request.match_info["upload_id"])
        return web.Response(status=204, headers={"Tus-Resumable": _VERSION})

    async def _get(self, request: web.Request) -> web.StreamResponse:
        """All of a version, or the one range asked for; HEAD as well."""
        subject, node_id = self._acting.subject(request[_CALLER]), request.match_info["node_id"]
        number = _whole_number(request.query.get("version", "0"), "version")
        opening = await download(self._nodes, self._content, subject, node_id, number=number, offset=0, length=0)
        return await http_content.respond(request, self._content, opening, {"Cache-Control": "private, no-cache"})

    async def _link(self, request: web.Request) -> web.StreamResponse:
        """What a link leads to, as one use of it, and as the same one for the browser that began it (RFC 6265)."""
        text, use = request.match_info["text"], request.cookies.get(_USE) or secrets.token_urlsafe(16)
        link_id, _ = taken_apart(text)
        holder = Subject(GranteeKind.LINK, link_id, "")
        act = Act(_derived("use", link_id, use), holder, self._acting.now())
        opening = await self._open_link(act, text, _password(request), offset=0, length=0)
        kept = f"{_USE}={use}; Path=/links/{text}; Max-Age={_USE_SECONDS}; HttpOnly; SameSite=Strict"
        return await http_content.respond(request, self._content, opening, {**_OF_LINKS, "Set-Cookie": kept})


def _body(request: web.Request) -> AsyncIterator[bytes]:
    """What comes, as it comes; a client that breaks off ends it as a server's failure would."""
    if request.content_type != "application/offset+octet-stream":
        raise Invalid("the content comes as application/offset+octet-stream", reason="CONTENT_TYPE")
    return _pieces(request)


async def _pieces(request: web.Request) -> AsyncIterator[bytes]:
    try:
        async for piece, _ in request.content.iter_chunks():  # as they came, and not joined
            yield piece
    except (OSError, asyncio.IncompleteReadError, web.RequestPayloadError) as error:
        raise Transient("the client broke off", reason="BROKEN_OFF") from error


def _standing(progress: Progress) -> dict[str, str]:
    headers = {
        "Tus-Resumable": _VERSION,
        "Upload-Offset": str(progress.offset),
        "Upload-Length": str(progress.uploading.announced.size),
        "Upload-Expires": format_datetime(progress.uploading.expires_at.astimezone(UTC), usegmt=True),
    }
    return {**headers, "Rossio-Node-Id": progress.node.node_id} if progress.node else headers


def _check_version(request: web.Request) -> None:
    if request.headers.get("Tus-Resumable") != _VERSION:
        raise Invalid(f"this server speaks tus {_VERSION}", reason="TUS_VERSION")


def _number(request: web.Request, name: str) -> int:
    return _whole_number(request.headers.get(name, ""), name)


def _whole_number(text: str, name: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise Invalid(f"{name} is a whole number", reason="HEADER")
    return int(text)


def _metadata(header: str) -> Mapping[str, str]:
    """`key base64,key base64,...`; a key without a value is empty."""
    said = {}
    for pair in filter(None, map(str.strip, header.split(","))):
        key, _, value = pair.partition(" ")
        try:
            said[key] = base64.b64decode(value, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            raise Invalid(f"Upload-Metadata: {key} is not text in base64", reason="METADATA") from None
    return said


def _checksum(request: web.Request) -> Checksum | None:
    header = request.headers.get("Upload-Checksum")
    if header is None:
        return None
    algorithm, _, digest = header.partition(" ")
    try:
        return Checksum(algorithm, base64.b64decode(digest, validate=True))
    except binascii.Error:
        raise Invalid("Upload-Checksum is an algorithm and a digest in base64", reason="HEADER") from None


def _derived(*words: str) -> str:
    """An id that nobody can guess who does not know the words; the same for the same."""
    return hashlib.blake2b("\0".join(words).encode(), digest_size=16, person=b"rossio.tus.id").hexdigest()


def _password(request: web.Request) -> str:
    """The one of Basic authentication (RFC 7617), so that any browser asks for it; whatever the name."""
    scheme, _, said = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return ""
    try:
        return base64.b64decode(said, validate=True).decode().partition(":")[2]
    except (binascii.Error, UnicodeDecodeError):
        raise Invalid("Authorization: a name and a password in base64", reason="HEADER") from None


def _problem(error: RossioError) -> web.Response:
    status = _OWN_STATUSES.get(error.reason) or next((code for kind, code in _STATUSES if isinstance(error, kind)), 500)
    body = {"title": error.reason, "status": status, "detail": str(error), **error.details}
    headers = {"Tus-Resumable": _VERSION, "Cache-Control": "no-store"}
    if error.reason == "TUS_VERSION":
        headers["Tus-Version"] = _VERSION
    if status == 401:
        by_password = error.reason == "LINK_PASSWORD"
        headers["WWW-Authenticate"] = 'Basic realm="link", charset="UTF-8"' if by_password else "Bearer"
    if status == 416 and "size" in error.details:
        headers["Content-Range"] = f"bytes */{error.details['size']}"
    return web.Response(status=status, text=json.dumps(body), content_type="application/problem+json", headers=headers)
