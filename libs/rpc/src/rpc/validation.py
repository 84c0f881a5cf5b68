"""Checks of request fields (rossio.validate.v1), compiled once per message type.

Every string, bytes and repeated field of a request has a limit, also those of nested messages and
those that carry no option.
"""

import re
from collections.abc import Callable
from functools import cache, partial
from typing import Any

from errors import Invalid
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from rossio.validate.v1 import validate_pb2

INVALID_FIELD = "INVALID_FIELD"
"""The reason of an Invalid whose details are field paths, each with what is wrong with it."""

_CHARACTERS, _BYTES, _ITEMS = 1024, 1 << 20, 1000
_EARLIEST, _LATEST = -62_135_596_800, 253_402_300_799  # the years 1 and 9999, as in timestamp.proto

Found = list[tuple[str, str]]
Check = Callable[[Any, Found], None]
ValueCheck = Callable[[Any], str | None]

_BEYOND_ASCII = "\u00a1-\u2027\u202f-\ud7ff\ue000-\U0010ffff"
"""No control characters, line separators or marks that turn the reading direction."""
_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_E164 = re.compile(r"\+[1-9][0-9]{6,14}")
_NOT_IN_NAMES = re.compile(r"[/\x00-\x1f\x7f-\x9f\u2028\u2029]")


@cache
def _address(beyond_ascii: str = "") -> re.Pattern[str]:
    """RFC 5321 section 4.1.2, with further characters for RFC 6531; the wide one takes 10 ms to compile."""
    atom = rf"[A-Za-z0-9!#$%&'*+/=?^_`{{|}}~{beyond_ascii}-]+"
    quoted = r'"(?:[ !#-\[\]-~]|\\[ -~])*"'
    label = rf"[A-Za-z0-9{beyond_ascii}](?:[A-Za-z0-9{beyond_ascii}-]{{0,61}}[A-Za-z0-9{beyond_ascii}])?"
    literal = r"\[[A-Za-z0-9:.]{1,45}\]"
    return re.compile(rf"(?P<local>{atom}(?:\.{atom})*|{quoted})@(?:{label}(?:\.{label})*|{literal})")


_ascii_address = _address().fullmatch


def _is_address(text: str) -> bool:
    """Whether it is an address: local part to 64 octets, the whole to 254."""
    if len(text) > 254:
        return False
    if text.isascii():
        match = _ascii_address(text)
        return match is not None and match.end("local") <= 64
    match = _address(_BEYOND_ASCII).fullmatch(text)
    return match is not None and len(match["local"].encode()) <= 64 and len(text.encode()) <= 254


_FORMATS: dict[int, tuple[Callable[[str], object], str]] = {
    validate_pb2.FORMAT_ID: (_ID.fullmatch, 'is not 1 to 64 of letters, digits, ".", "_", "-"'),
    validate_pb2.FORMAT_ADDRESS: (_is_address, "is not a mail address"),
    validate_pb2.FORMAT_E164: (_E164.fullmatch, 'is not a telephone number as "+351912345678"'),
    validate_pb2.FORMAT_NAME: (
        lambda text: not _NOT_IN_NAMES.search(text) and text not in {".", ".."} and not text.isspace(),
        'is not a name: it is ".", "..", blank, or holds "/" or a control character',
    ),
}


@cache
def checks(message: Descriptor) -> tuple[Check, ...]:
    """Returns the checks for messages of this type; each appends (path, what is wrong) to a list."""
    if message.full_name == "google.protobuf.Timestamp":
        return (_timestamp,)
    if message.full_name.startswith("google.protobuf."):
        return ()
    return tuple(check for field in message.fields if (check := _field(field)) is not None)


def validate(message: Message, compiled: tuple[Check, ...] | None = None) -> None:
    """Checks one message, with the checks of its type.

    Raises:
        Invalid: reason INVALID_FIELD; the details are the paths of the fields, at most twenty.
    """
    found: Found = []
    for check in checks(message.DESCRIPTOR) if compiled is None else compiled:
        check(message, found)
    if found:
        raise invalid_fields(dict(found[:20]))


def invalid_fields(violations: dict[str, str]) -> Invalid:
    """Returns the error that names fields by path, each with what is wrong with it."""
    path, wrong = next(iter(violations.items()))
    error = Invalid(f"{path} {wrong}", reason=INVALID_FIELD)
    error.details.update(violations)  # not as keywords: a field may be called "reason" or "message"
    return error


def _field(field: FieldDescriptor) -> Check | None:
    rule = field.GetOptions().Extensions[validate_pb2.field]
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        return _map(field, rule)
    if field.is_repeated:
        return _repeated(field, rule)
    if field.message_type is not None:
        return _nested(field, required=rule.required)
    value = _value(field, rule.max_len, rule.format)
    return _scalar(field, value, required=rule.required) if value or rule.required else None


def _value(field: FieldDescriptor, longest: int, form: int) -> ValueCheck | None:
    """Returns the check of one string or bytes value that is set; None for other types."""
    if field.type == FieldDescriptor.TYPE_BYTES:
        return partial(_long, most=longest or _BYTES, unit="bytes")
    if field.type != FieldDescriptor.TYPE_STRING:
        return None
    most = longest or _CHARACTERS
    if form not in _FORMATS:
        return partial(_long, most=most, unit="characters")
    fits, complaint = _FORMATS[form]

    def string(text: str) -> str | None:
        if len(text) > most:
            return f"is longer than {most} characters"
        return None if fits(text) else complaint

    return string


def _long(value: str | bytes, *, most: int, unit: str) -> str | None:
    return f"is longer than {most} {unit}" if len(value) > most else None


def _scalar(field: FieldDescriptor, value: ValueCheck | None, *, required: bool) -> Check:
    name, with_presence = field.name, field.has_presence

    def check(message: Any, found: Found) -> None:
        got = getattr(message, name)
        if got:
            if value is not None and (wrong := value(got)) is not None:
                found.append((name, wrong))
        elif required and not (with_presence and message.HasField(name)):
            found.append((name, "is required"))

    return check


def _nested(field: FieldDescriptor, *, required: bool) -> Check:
    name, described = field.name, field.message_type

    def check(message: Any, found: Found) -> None:
        if message.HasField(name):
            _inside(getattr(message, name), name, checks(described), found)
        elif required:
            found.append((name, "is required"))

    return check


def _repeated(field: FieldDescriptor, rule: validate_pb2.Field) -> Check:
    name, described, most = field.name, field.message_type, rule.max_len or _ITEMS
    value = None if described is not None else _value(field, 0, rule.format)

    def check(message: Any, found: Found) -> None:
        items = getattr(message, name)
        if not items:
            if rule_required:
                found.append((name, "is required"))
            return
        if len(items) > most:
            found.append((name, f"has more than {most} items"))
        elif described is not None:
            inner = checks(described)
            for at, item in enumerate(items) if inner else ():
                _inside(item, f"{name}[{at}]", inner, found)
        elif value is not None:
            for at, item in enumerate(items):
                if (wrong := value(item)) is not None:
                    found.append((f"{name}[{at}]", wrong))

    rule_required = rule.required
    return check


def _map(field: FieldDescriptor, rule: validate_pb2.Field) -> Check:
    name, most = field.name, rule.max_len or _ITEMS
    assert field.message_type is not None
    entry = field.message_type.fields_by_name
    key_check = _value(entry["key"], 0, 0)
    value_check = _value(entry["value"], 0, rule.format)
    described = entry["value"].message_type

    def check(message: Any, found: Found) -> None:
        items = getattr(message, name)
        if len(items) > most:
            found.append((name, f"has more than {most} items"))
            return
        for key in items:
            if key_check is not None and key_check(key) is not None:
                found.append((name, "has a key that is too long"))
            elif described is not None:
                _inside(items[key], f"{name}[{key}]", checks(described), found)
            elif value_check is not None and (wrong := value_check(items[key])) is not None:
                found.append((f"{name}[{key}]", wrong))

    return check


def _inside(message: Any, path: str, inner: tuple[Check, ...], found: Found) -> None:
    """Runs the checks of a nested message and puts `path` before the paths that they found."""
    before = len(found)
    for check in inner:
        check(message, found)
    if len(found) > before:
        found[before:] = [(f"{path}.{below}" if below else path, wrong) for below, wrong in found[before:]]


def _timestamp(message: Any, found: Found) -> None:
    if not (_EARLIEST <= message.seconds <= _LATEST and 0 <= message.nanos < 1_000_000_000):
        found.append(("", "is not a time between the years 1 and 9999"))
