"""Command lines of RFC 5321 and of the extensions that we offer, read into values or refused with a reply."""

import re
from dataclasses import dataclass

import errors

from mail_routing.domain import address
from mail_routing.domain.message import Recipient


@dataclass(frozen=True, slots=True)
class Reply:
    """One reply: code of RFC 5321, enhanced status of RFC 3463 (empty where none belongs), lines of text."""

    code: int
    status: str
    text: str

    def encode(self) -> bytes:
        lines = self.text.split("\n")
        status = f"{self.status} " if self.status else ""
        body = [f"{self.code}-{status}{line}" for line in lines[:-1]] + [f"{self.code} {status}{lines[-1]}"]
        return ("\r\n".join(body) + "\r\n").encode()


class Refused(Exception):
    """A command cannot be carried out; the client hears `reply`."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.text)
        self.reply = reply


@dataclass(frozen=True, slots=True)
class MailFrom:
    """MAIL: reverse path ("" is the null sender), declared size in octets (0: none), what else was asked for.

    `envelope_id` and `returned` are ENVID and RET of RFC 3461.
    """

    sender: str
    size: int = 0
    smtputf8: bool = False
    envelope_id: str = ""
    returned: str = ""


_EHLO = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,253})|\[[0-9A-Za-z.:]{1,80}\]")
_PATH = re.compile(r'<(?:@[^:>]+:)?((?:"(?:[^"\\]|\\.)*"|[^<>"\s])*)>((?: +\S+)*) *')
_SIZE = re.compile(r"\d{1,20}")
_XTEXT = re.compile(r"(?:[!-*,-<>-~\u0080-\U0010ffff]|\+[0-9A-F]{2})*")  # RFC 3461 section 4, RFC 6533 section 3
_NOTIFY = re.compile(r"NEVER|(?:SUCCESS|FAILURE|DELAY)(?:,(?:SUCCESS|FAILURE|DELAY)){0,2}")
_ADDRESS_TYPES = frozenset({"rfc822", "utf-8"})


def _syntax(text: str) -> Refused:
    return Refused(Reply(501, "5.5.4", text))


def hello(argument: str) -> str:
    """The client's name from HELO or EHLO, fit for a header field."""
    name = argument.strip()
    if not _EHLO.fullmatch(name):
        raise _syntax("A host name or an address literal is needed")
    return name


def mail(argument: str) -> MailFrom:
    """Read what follows MAIL."""
    path, parameters = _path(argument, "FROM:")
    smtputf8 = "SMTPUTF8" in parameters
    size = 0
    envelope_id = returned = ""
    for keyword, value in parameters.items():
        match keyword:
            case "SIZE" if _SIZE.fullmatch(value):
                size = int(value)
            case "BODY" if value.upper() in {"7BIT", "8BITMIME"}:
                pass
            case "SMTPUTF8" if not value:
                pass
            case "ENVID" if value and len(value) <= 100:
                envelope_id = _xtext(keyword, value)
            case "RET" if value.upper() in {"FULL", "HDRS"}:
                returned = value.upper()
            case "AUTH" if value:  # RFC 4954 section 5: what another server says of the author counts for nothing
                _xtext(keyword, value)
            case "SIZE" | "BODY" | "SMTPUTF8" | "ENVID" | "RET" | "AUTH":
                raise _not_understood(keyword)
            case _:
                raise Refused(Reply(555, "5.5.4", "A parameter of MAIL is not known"))
    sender = _address(path, "5.1.7", smtputf8) if path else ""
    return MailFrom(sender, size, smtputf8, envelope_id, returned)


def rcpt(argument: str, *, smtputf8: bool, postmaster: str) -> Recipient:
    """Read what follows RCPT: the forward path; `postmaster` is what the bare name stands for (RFC 5321 4.5.1)."""
    path, parameters = _path(argument, "TO:")
    notify: tuple[str, ...] = ()
    original = ""
    for keyword, value in parameters.items():
        match keyword:
            case "NOTIFY" if _NOTIFY.fullmatch(value.upper()):
                notify = tuple(dict.fromkeys(value.upper().split(",")))
            case "ORCPT" if ";" in value and len(value) <= 500:
                original = _original(value)
            case "NOTIFY" | "ORCPT":
                raise _not_understood(keyword)
            case _:
                raise Refused(Reply(555, "5.5.4", "A parameter of RCPT is not known"))
    to = _address(postmaster if path.lower() == "postmaster" else path, "5.1.3", smtputf8)
    return Recipient(to, original, notify)


def bdat(argument: str) -> tuple[int, bool]:
    """Octets of the chunk, and whether it is the last one (RFC 3030 section 2)."""
    size, _, last = argument.strip().partition(" ")
    if not _SIZE.fullmatch(size) or last.strip().upper() not in {"", "LAST"}:
        raise _syntax("BDAT needs a size, and may say LAST")
    return int(size), bool(last)


def _not_understood(keyword: str) -> Refused:
    return _syntax(f"{keyword} has a value that is not understood")


def _xtext(keyword: str, value: str) -> str:
    """The text that was written as xtext; control characters in it are refused, since it is told to others."""
    text = re.sub(r"\+([0-9A-F]{2})", lambda match: chr(int(match[1], 16)), value)
    if not _XTEXT.fullmatch(value) or not text.isprintable():
        raise _not_understood(keyword)
    return text


def _original(value: str) -> str:
    """ORCPT: an address of the Internet by itself, any other with its type before it."""
    kind, _, encoded = value.partition(";")
    text = _xtext("ORCPT", encoded)
    if kind.lower() == "utf-8":
        text = re.sub(r"\\x\{([0-9A-F]{2,6})\}", _character, text)
    return text if kind.lower() in _ADDRESS_TYPES else f"{kind.lower()};{text}"


def _character(match: re.Match[str]) -> str:
    number = int(match[1], 16)
    character = chr(number) if number <= 0x10FFFF else ""
    return character if character.isprintable() and not 0xD800 <= number <= 0xDFFF else match[0]


def _path(argument: str, prefix: str) -> tuple[str, dict[str, str]]:
    if argument[: len(prefix)].upper() != prefix:
        raise _syntax(f"{prefix}<address> is needed")
    # RFC 5321 has no space after the colon; many clients do.
    match = _PATH.fullmatch(argument[len(prefix) :].lstrip(" "))
    if match is None:
        raise _syntax("The address stands in angle brackets")
    parameters: dict[str, str] = {}
    for word in match[2].split():
        keyword, _, value = word.partition("=")
        if keyword.upper() in parameters:
            raise _syntax("A parameter stands twice")
        parameters[keyword.upper()] = value
    return match[1], parameters


def _address(path: str, status: str, smtputf8: bool) -> str:
    try:
        return address.parse(path, internationalised=smtputf8)
    except errors.Invalid:
        if not path.isascii() and not smtputf8:
            raise Refused(Reply(553, "5.6.7", "SMTPUTF8 was not asked for at MAIL")) from None
        raise Refused(Reply(553, status, "Not a mail address")) from None
