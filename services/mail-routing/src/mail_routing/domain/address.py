"""Mail addresses as SMTP writes them (RFC 5321 section 4.1.2, with UTF-8 as RFC 6531 allows)."""

import re
import unicodedata

import errors

_ATEXT = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]"
_UTEXT = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~\u0080-\U0010ffff-]"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9])?"
_ULABEL = r"[A-Za-z0-9\u0080-\U0010ffff](?:[A-Za-z0-9_\u0080-\U0010ffff-]{0,61}[A-Za-z0-9\u0080-\U0010ffff])?"
_QUOTED = r'"(?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\[\x20-\x7e])*"'
_LITERAL = r"\[[\x21-\x5a\x5e-\x7e]{1,80}\]"

_ADDRESS = re.compile(rf"({_ATEXT}+(?:\.{_ATEXT}+)*|{_QUOTED})@({_LABEL}(?:\.{_LABEL})*|{_LITERAL})")
_UADDRESS = re.compile(rf"({_UTEXT}+(?:\.{_UTEXT}+)*|{_QUOTED})@({_ULABEL}(?:\.{_ULABEL})*|{_LITERAL})")
_PLAIN = re.compile(rf"{_ATEXT}+(?:\.{_ATEXT}+)*")

MAX_OCTETS = 254
MAX_LOCAL_OCTETS = 64


def parse(text: str, *, internationalised: bool = True) -> str:
    """Return the address without needless quotes, its domain in lower case and NFC.

    `Invalid` (reason MALFORMED_ADDRESS) when it is no address, is longer than 254 octets or has a local
    part of more than 64, or uses UTF-8 where that was not asked for.
    """
    match = (_UADDRESS if internationalised else _ADDRESS).fullmatch(text)
    if match is None or len(text.encode()) > MAX_OCTETS:
        raise errors.Invalid("not a mail address", reason="MALFORMED_ADDRESS")
    local, domain = match.groups()
    if len(local.encode()) > MAX_LOCAL_OCTETS:
        raise errors.Invalid("the local part is too long", reason="MALFORMED_ADDRESS")
    if local.startswith('"'):
        unquoted = re.sub(r"\\(.)", r"\1", local[1:-1])
        local = unquoted if _PLAIN.fullmatch(unquoted) else local
    return f"{local}@{canonical(domain)}"


def canonical(address: str) -> str:
    """The form in which two spellings of one mailbox of ours are equal: the directory keeps lower case."""
    return address.lower() if address.isascii() else unicodedata.normalize("NFC", address).lower()


def split(address: str) -> tuple[str, str]:
    """Local part and domain."""
    local, _, domain = address.rpartition("@")
    return local, domain
