"""Logs: one JSON object a line on stderr, or a readable line on a terminal, with the trace's ids.

An event is a constant sentence, and what varies is a field. Personal data does not get in: fields
with a telling name are withheld, addresses and telephone numbers in values are blotted out, and of an
exception only its type, its reason and the lines of code are written, never its message.
"""

import json
import logging
import re
import sys
import traceback
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from errors import RossioError

from telemetry.position import active

WITHHELD = "[withheld]"
_PRIVATE = frozenset({
    "actor", "address", "addresses", "alias", "author", "body", "caller", "citizen", "content", "email", "guide",
    "mail", "mailbox", "member", "members", "mobile", "name", "number", "owner", "password", "people", "person",
    "person_id", "persons", "phone", "rcpt", "recipient", "recipients", "sender", "subject", "text", "title", "to",
    "token", "user", "user_id",
})  # fmt: skip
_DATA = re.compile(r"[^\s@\"'<>,;:\\]+@[^\s@\"'<>,;:\\]+|\+\d{8,15}\b")
_PLAIN_ERRORS = (ConnectionError, TimeoutError, ImportError)
_LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}


class _Output:
    """The level and form of the process's log."""

    def __init__(self) -> None:
        self.level = _LEVELS["info"]
        self.service = ""
        self.pretty = False


_output = _Output()


class Logger:
    """Writes events of one module. Fields are keyword arguments."""

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name = name

    def debug(self, event: str, **fields: Any) -> None:
        if _output.level <= 10:
            _write("debug", self._name, event, fields, None)

    def info(self, event: str, **fields: Any) -> None:
        if _output.level <= 20:
            _write("info", self._name, event, fields, None)

    def warning(self, event: str, **fields: Any) -> None:
        if _output.level <= 30:
            _write("warning", self._name, event, fields, None)

    def error(self, event: str, *, exc: BaseException | None = None, **fields: Any) -> None:
        """Writes an error; with `exc` also what was raised and where."""
        _write("error", self._name, event, fields, exc)

    def exception(self, event: str, exc: BaseException | None = None, **fields: Any) -> None:
        """Writes an error with `exc`, or with the exception that is being handled."""
        _write("error", self._name, event, fields, exc or sys.exception())


def logger(name: str) -> Logger:
    """Returns the logger of a module: `log = telemetry.logger(__name__)`."""
    return Logger(name)


def set_level(level: str) -> None:
    """Sets the level of the process: "debug", "info", "warning" or "error".

    Raises:
        ValueError: it is none of these.
    """
    if level.lower() not in _LEVELS:
        raise ValueError(f"a log level is one of {', '.join(_LEVELS)}, not {level!r}")
    _output.level = _LEVELS[level.lower()]
    logging.getLogger().setLevel(_output.level)


def start(service: str, level: str, *, pretty: bool | None = None) -> None:
    """Opens the process's log and takes in what libraries write to the standard logging module."""
    _output.service = service
    _output.pretty = sys.stderr.isatty() if pretty is None else pretty
    root = logging.getLogger()
    root.handlers[:] = [_Bridge()]
    set_level(level)


def _error_fields(error: BaseException) -> dict[str, Any]:
    fields: dict[str, Any] = {"error_type": type(error).__name__}
    if isinstance(error, RossioError):
        fields["reason"] = error.reason
    elif isinstance(error, _PLAIN_ERRORS):
        fields["error_message"] = str(error)
    frames = traceback.extract_tb(error.__traceback__)[-12:]
    fields["stack"] = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
    if error.__cause__ is not None:
        fields["cause"] = type(error.__cause__).__name__
    return fields


def _write(level: str, name: str, event: str, fields: Mapping[str, Any], error: BaseException | None) -> None:
    line: dict[str, Any] = {
        "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "level": level,
        "service": _output.service,
        "logger": name,
        "event": event,
    }
    span = active()
    if span is not None:
        line["trace_id"], line["span_id"] = span.trace_id, span.span_id
    for key, value in fields.items():
        line[key] = WITHHELD if key in _PRIVATE else value
    if error is not None:
        line.update(_error_fields(error))
    text = _readable(line) if _output.pretty else json.dumps(line, ensure_ascii=False, default=str)
    if "@" in text or "+" in text:
        text = _DATA.sub(WITHHELD, text)
    sys.stderr.write(text + "\n")


def _readable(line: dict[str, Any]) -> str:
    colour = {"debug": "2", "info": "32", "warning": "33", "error": "31"}[line["level"]]
    rest = " ".join(
        f"\x1b[2m{key}=\x1b[0m{value}"
        for key, value in line.items()
        if key not in {"time", "level", "service", "logger", "event", "span_id", "stack"}
    )
    stack = "".join(f"\n    {frame}" for frame in line.get("stack", ()))
    return f"\x1b[2m{line['time'][11:23]}\x1b[0m \x1b[{colour}m{line['level']:<7}\x1b[0m {line['event']}  {rest}{stack}"


class _Bridge(logging.Handler):
    """Carries records of the standard logging module over.

    Of a message only the first line: below it asyncio, for one, shows exceptions with their messages.
    """

    def emit(self, record: logging.LogRecord) -> None:
        level = "error" if record.levelno >= 40 else logging.getLevelName(record.levelno).lower()
        error = record.exc_info[1] if record.exc_info else None
        _write(level if level in _LEVELS else "info", record.name, record.getMessage().partition("\n")[0], {}, error)
