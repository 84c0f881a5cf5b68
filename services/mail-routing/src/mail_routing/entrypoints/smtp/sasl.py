"""The messages of SASL that we read: PLAIN (RFC 4616) and OAUTHBEARER (RFC 7628), in the dress of RFC 4954."""

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from mail_routing.application.authenticate import Bearer, Credentials, Password
from mail_routing.entrypoints.smtp.grammar import Refused, Reply

LONGEST_LINE: Final = 12_288 + len("AUTH OAUTHBEARER \r\n")
"""RFC 4954 section 4: a response may have 12,288 octets."""
REFUSED: Final = Reply(535, "5.7.8", "The credentials are not valid")
WHY: Final = Reply(334, "", base64.b64encode(b'{"status":"invalid_token"}').decode())

_MALFORMED = Refused(Reply(501, "5.5.2", "The response cannot be read"))
_BEARER = re.compile(
    r"n,(?:a=([^,\x01]*))?,\x01(?:[^\x01]+\x01)*?auth=bearer ([^\x01]+)\x01(?:[^\x01]+\x01)*\x01", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Mechanism:
    """How credentials are read from the one message of the client, and whether a refusal says why first."""

    read: Callable[[str], Credentials]
    says_why: bool = False


def decoded(response: str) -> str:
    """The message in a line of base64; "*" takes the attempt back."""
    if response == "*":
        raise Refused(Reply(501, "5.7.0", "Taken back"))
    try:
        return base64.b64decode(response, validate=True).decode()
    except (binascii.Error, ValueError):
        raise _MALFORMED from None


def _plain(message: str) -> Credentials:
    acting, first, rest = message.partition("\0")
    identity, second, password = rest.partition("\0")
    if not (first and second and identity and password) or "\0" in password:
        raise _MALFORMED
    if acting not in {"", identity}:
        raise Refused(REFUSED)  # nobody hands mail in as somebody else: that is what send-as is for
    return Password(identity, password)


def _oauthbearer(message: str) -> Credentials:
    match = _BEARER.fullmatch(message)
    if match is None:
        raise _MALFORMED
    identity = (match[1] or "").replace("=2C", ",").replace("=3D", "=")
    return Bearer(match[2].strip(), identity)


MECHANISMS: Final[Mapping[str, Mechanism]] = MappingProxyType(
    {"PLAIN": Mechanism(_plain), "OAUTHBEARER": Mechanism(_oauthbearer, says_why=True)}
)
