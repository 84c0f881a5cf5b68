"""What a mail is made of (RFC 2045, 2046), read totally: any octets give parts, and never an error.

It reads as far as rules ask: texts, and names and types of attachments. What is malformed is read as mail programs
tend to: a container without a boundary is text, a part that cannot be decoded is what it is.
"""

import base64
import binascii
import quopri
import re
from collections.abc import Iterator
from dataclasses import dataclass
from email.errors import HeaderParseError
from email.header import decode_header
from urllib.parse import unquote_to_bytes

_DEEPEST = 20
_MOST_PARTS = 1000
_FIELD = re.compile(rb"([\x21-\x39\x3b-\x7e]+)[ \t]*:[ \t]*([^\r\n]*(?:\r\n[ \t][^\r\n]*)*)")
_PARAMETER = re.compile(r';\s*([^\s=;*]+)(\*\d+)?(\*)?\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;]*))')
_NAMES = (("content-disposition", "filename"), ("content-type", "name"))


@dataclass(frozen=True, slots=True)
class Part:
    """A part that is no container: its type ("text/plain"), the name of its file, its body as it stands."""

    kind: str
    name: str
    attached: bool
    encoding: str
    charset: str
    body: bytes

    @property
    def text(self) -> str:
        """The decoded text; of other parts nothing."""
        if not self.kind.startswith("text/"):
            return ""
        octets = _decoded(self.body, self.encoding)
        try:
            return octets.decode(self.charset, "replace")
        except LookupError:
            return octets.decode("utf-8", "replace")


def parts(content: bytes) -> Iterator[Part]:
    """The parts of a mail in their order, at most a thousand, at most twenty deep."""
    waiting, found = [(content, 0)], 0
    while waiting and found < _MOST_PARTS:
        octets, depth = waiting.pop()
        header, _, body = octets.partition(b"\r\n\r\n") if not octets.startswith(b"\r\n") else (b"", b"", octets[2:])
        fields = {m[1].lower().decode("ascii"): _line(m[2]) for m in _FIELD.finditer(header)}
        kind, parameters = _value(fields.get("content-type", "text/plain"))
        inner = _inner(kind, parameters, body) if depth < _DEEPEST else []
        if inner:
            waiting += [(each, depth + 1) for each in reversed(inner)]
            continue
        found += 1
        yield _part(fields, kind, parameters, body)


def words(value: bytes) -> str:
    """An unstructured field in words: unfolded, encoded words decoded (RFC 2047)."""
    line = _line(value)
    try:
        return "".join(
            text if isinstance(text, str) else _charset_text(text, charset) for text, charset in decode_header(line)
        )
    except (HeaderParseError, ValueError):
        return line


def _part(fields: dict[str, str], kind: str, parameters: dict[str, str], body: bytes) -> Part:
    disposition, more = _value(fields.get("content-disposition", ""))
    named = {"content-type": parameters, "content-disposition": more}
    name = next((found for field, key in _NAMES if (found := named[field].get(key, ""))), "")
    attached = bool(name) or disposition == "attachment" or not kind.startswith("text/")
    encoding = fields.get("content-transfer-encoding", "").strip().lower()
    return Part(kind, words(name.encode()), attached, encoding, parameters.get("charset", "utf-8"), body)


def _inner(kind: str, parameters: dict[str, str], body: bytes) -> list[bytes]:
    if kind == "message/rfc822":
        return [body]
    boundary = parameters.get("boundary", "")
    if not kind.startswith("multipart/") or not boundary:
        return []
    line = re.compile(rb"(?:^|\r\n)--" + re.escape(boundary.encode()) + rb"(--)?[ \t]*(?:\r\n|$)")
    inner: list[bytes] = []
    start: int | None = None
    position = 0
    while match := line.search(body, position):
        if start is not None:
            inner.append(body[start : match.start()])
        start = None if match[1] else match.end()
        # Two boundaries may share the line end between them.
        position = max(match.end() - 2, match.start() + 1)
    return [*inner, body[start:]] if start is not None else inner


def _value(text: str) -> tuple[str, dict[str, str]]:
    """The word before the parameters in lower case, and the parameters (RFC 2231)."""
    pieces: dict[str, list[tuple[int, str]]] = {}
    for match in _PARAMETER.finditer(text):
        value = re.sub(r"\\(.)", r"\1", match[4]) if match[4] is not None else match[5]
        if match[3]:
            value = _extended(value, first=match[2] in {None, "*0"})
        pieces.setdefault(match[1].lower(), []).append((int((match[2] or "*0")[1:7]), value))
    joined = {name: "".join(value for _, value in sorted(found)) for name, found in pieces.items()}
    return text.partition(";")[0].strip().lower(), joined


def _extended(value: str, *, first: bool) -> str:
    charset, text = "utf-8", value
    if first and value.count("'") >= 2:
        charset, _, text = value.split("'", 2)
    return _charset_text(unquote_to_bytes(text), charset)


def _charset_text(octets: bytes, charset: str | None) -> str:
    try:
        return octets.decode(charset or "utf-8", "replace")
    except (LookupError, ValueError):
        return octets.decode("utf-8", "replace")


def _decoded(body: bytes, encoding: str) -> bytes:
    if encoding == "quoted-printable":
        return quopri.decodestring(body)
    if encoding == "base64":
        letters = re.sub(rb"[^A-Za-z0-9+/]", b"", body)
        try:
            return base64.b64decode(letters[: len(letters) // 4 * 4] + _rest(letters))
        except binascii.Error:
            return body
    return body


def _rest(letters: bytes) -> bytes:
    """What is left of the last four letters, filled up; one alone says nothing."""
    left = letters[len(letters) // 4 * 4 :]
    return left + b"=" * (4 - len(left)) if len(left) > 1 else b""


def _line(value: bytes) -> str:
    return re.sub(rb"\r\n(?=[ \t])", b"", value).decode("utf-8", "replace").strip()
