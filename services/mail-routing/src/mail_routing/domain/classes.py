"""The class of a mail that came by SMTP: what its header says, as far as its sender is believed."""

from mail_routing.domain.headers import Headers
from mail_routing.domain.message import Message, MessageClass, Origin

FIELD = "rossio-class"
"""`Rossio-Class: urgent` (or normal, bulk) from those who are believed: authenticated, or of a trusted network.

Urgent is for the systems of such a network; people who have authenticated cannot say it.
"""

_BY_SMTP = frozenset({Origin.SMTP, Origin.SUBMISSION})
_SAID = {kind.value.encode(): kind for kind in MessageClass}
_BULK = frozenset({b"bulk", b"list", b"junk"})


def stated(mail: Message, present: Headers) -> MessageClass:
    """A mail from outside may step back by `Precedence` (RFC 3834 section 3.1.8), and never forward.

    Over gRPC the request says the class, and our own reports have theirs.
    """
    if mail.origin not in _BY_SMTP:
        return mail.message_class
    for value in present.all(FIELD):
        said = _SAID.get(value.strip().lower()) if mail.origin.trusted else None
        if said and not (said is MessageClass.URGENT and mail.principal):
            return said
    if any(value.strip().lower() in _BULK for value in present.all("precedence")):
        return MessageClass.BULK
    return mail.message_class
