"""What the rules do to the octets of a mail, the same for all recipients of a shard."""

import quopri
import re
from dataclasses import dataclass
from email.header import Header

from mail_routing.domain.headers import Headers
from mail_routing.domain.rules import Action, Decision, Verb, Verdict


@dataclass(frozen=True, slots=True)
class Treatment:
    """Header fields to add (name and value), texts to put below, whether next hops need TLS, why it is kept back.

    What is kept back lies in quarantine, or is `held` for moderators: those of a list, else the members of the group
    `moderators`. `decisions` are the rules that brought it about.
    """

    fields: tuple[tuple[str, str], ...] = ()
    disclaimers: tuple[str, ...] = ()
    require_tls: bool = False
    kept_back: str = ""
    held: bool = False
    moderators: str = ""
    decisions: tuple[Decision, ...] = ()

    def applied(self, content: bytes, present: Headers, boundary: str) -> bytes:
        """The content with all of it. `boundary` is one that nobody can foresee: make it from the mail's id."""
        if self.disclaimers:
            content = _with_text_below(content, present, "\n\n".join(self.disclaimers), boundary)
        return b"".join(f"{name}: {_encoded(value)}\r\n".encode() for name, value in self.fields) + content


NONE = Treatment()
MODERATED = Treatment(kept_back="Waits for the moderators of the list", held=True)
"""Of lists that stand for themselves until their moderators have decided."""


def of(verdict: Verdict) -> Treatment:
    """The treatment that a verdict asks for."""
    if not verdict.decisions:
        return NONE
    kept = _kept_back(verdict)
    return Treatment(
        fields=tuple((each.name, each.value) for each in verdict.actions if each.verb is Verb.ADD_HEADER),
        disclaimers=verdict.values(Verb.DISCLAIMER),
        require_tls=any(each.verb is Verb.REQUIRE_TLS for each in verdict.actions),
        kept_back=kept.value if kept else "",
        held=kept is not None and kept.verb is Verb.HOLD,
        moderators=kept.name if kept else "",
        decisions=verdict.decisions,
    )


def _kept_back(verdict: Verdict) -> Action | None:
    """The first action that keeps it back; a quarantine goes before moderators."""
    found = {action.verb: action for action in reversed(verdict.actions)}
    return found.get(Verb.QUARANTINE) or found.get(Verb.HOLD)


def _with_text_below(content: bytes, present: Headers, text: str, boundary: str) -> bytes:
    """The mail in a multipart/mixed, its own octets untouched, with the text as a second part.

    So a signature inside of it (S/MIME, PGP) still holds; one over the whole mail (DKIM) does not, and cannot.
    """
    outer, inner = b"", b""
    for field in re.split(rb"(?<=\r\n)(?![ \t])", content[: present.end]):
        name = field.partition(b":")[0].strip().lower()
        if name.startswith(b"content-"):
            inner += field
        elif name != b"mime-version":
            outer += field
    body = content[present.end :] or b"\r\n"
    encoding = b"" if body.isascii() else b"Content-Transfer-Encoding: 8bit\r\n"
    mark = boundary.encode()
    below = quopri.encodestring(text.encode()).replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    return (
        outer
        + b'MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="'
        + mark
        + b'"\r\n'
        + encoding
        + b"\r\n--"
        + mark
        + b"\r\n"
        + inner
        + body
        + b"\r\n--"
        + mark
        + b"\r\nContent-Type: text/plain; charset=utf-8\r\n"
        + b"Content-Transfer-Encoding: quoted-printable\r\nContent-Disposition: inline\r\n\r\n"
        + below
        + b"\r\n--"
        + mark
        + b"--\r\n"
    )


def _encoded(value: str) -> str:
    """A value of one line as other servers take it (RFC 2047)."""
    return value if value.isascii() else Header(value, "utf-8", maxlinelen=900).encode()
