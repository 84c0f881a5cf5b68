"""Content as the answer to a GET: whole, one range of it, or not at all because the client has it (RFC 9110)."""

from collections.abc import Mapping
from datetime import UTC
from email.utils import format_datetime

from aiohttp import web

from document.application.download import Opening
from document.application.ports import Content
from document.domain.ranges import content_range, requested


async def respond(
    request: web.Request, content: Content, opening: Opening, more: Mapping[str, str]
) -> web.StreamResponse:
    """Sends the opened version, with `more` headers; of a HEAD only what would be said before it."""
    (version,) = opening.node.versions
    etag = f'"{version.sha256}"'
    headers = {
        "ETag": etag,
        "Last-Modified": format_datetime(version.created_at.astimezone(UTC), usegmt=True),
        "Accept-Ranges": "bytes",
        "X-Content-Type-Options": "nosniff",
        "Content-Type": version.media_type,
        **more,
    }
    if etag in request.headers.get("If-None-Match", ""):
        return web.Response(status=304, headers=headers)
    asked = request.headers.get("Range", "") if request.headers.get("If-Range", etag) == etag else ""
    part = requested(asked, version.size)
    response = web.StreamResponse(headers=headers)
    response.content_length = version.size
    response.headers["Content-Disposition"] = _attachment(opening.node.name)
    if part is not None:
        response.set_status(206)
        response.content_length = part.length
        response.headers["Content-Range"] = content_range(part, version.size)
    await response.prepare(request)
    if request.method == "GET" and response.content_length:
        chunks = content.get(version.blob, part.offset, part.length) if part is not None else opening.chunks
        async for chunk in chunks:
            await response.write(chunk)
    return response


def _attachment(name: str) -> str:
    """RFC 6266: the browser keeps the file and runs nothing of it."""
    encoded = "".join(chr(b) if chr(b).isalnum() and b < 128 else f"%{b:02X}" for b in name.encode())
    return f"attachment; filename*=UTF-8''{encoded}"
