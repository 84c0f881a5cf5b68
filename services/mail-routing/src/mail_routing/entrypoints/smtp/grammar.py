"""Command lines of RFC 5321 and of the extensions that we offer, read into values or refused with a reply."""

import re
from dataclasses import dataclass

import errors

from mail_routing.domain import address


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
    """MAIL: reverse path ("" is the null sender), declared size in octets (0: none), what else was asked for."""

    sender: str
    size: int = 0
    smtputf8: bool = False


_EHLO = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,253})|\[[0-9A-Za-z.:]{1,80}\]")
_PATH = re.compile(r'<(?:@[^:>]+:)?((?:"(?:[^"\\]|\\.)*"|[^<>"\s])*)>((?: +\S+)*) *')
_SIZE = re.compile(r"\d{1,20}")


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
    for keyword, value in parameters.items():
        match keyword:
            case "SIZE" if _SIZE.fullmatch(value):
                size = int(value)
            case "BODY" if value.upper() in {"7BIT", "8BITMIME"}:
                pass
            case "SMTPUTF8" if not value:
                pass
            case "SIZE" | "BODY" | "SMTPUTF8":
                raise _syntax(f"{keyword} has a value that is not understood")
            case _:
                raise Refused(Reply(555, "5.5.4", "A parameter of MAIL is not known"))
    return MailFrom(_address(path, "5.1.7", smtputf8) if path else "", size, smtputf8)


def rcpt(argument: str, *, smtputf8: bool, postmaster: str) -> str:
    """Read what follows RCPT: the forward path; `postmaster` is what the bare name stands for (RFC 5321 4.5.1)."""
    path, parameters = _path(argument, "TO:")
    if parameters:
        raise Refused(Reply(555, "5.5.4", "A parameter of RCPT is not known"))
    return _address(postmaster if path.lower() == "postmaster" else path, "5.1.3", smtputf8)


def bdat(argument: str) -> tuple[int, bool]:
    """Octets of the chunk, and whether it is the last one (RFC 3030 section 2)."""
    size, _, last = argument.strip().partition(" ")
    if not _SIZE.fullmatch(size) or last.strip().upper() not in {"", "LAST"}:
        raise _syntax("BDAT needs a size, and may say LAST")
    return int(size), bool(last)


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
