"""Who is calling, and the call that a handler works on."""

import hashlib
import time
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Literal

from rpc.failures import Failure

PrincipalKind = Literal["person", "citizen", "service"]
MINISTRY_ADMIN = "ministry.admin"


@dataclass(frozen=True, slots=True)
class Caller:
    """The principal that a verified token stands for."""

    subject: str
    kind: PrincipalKind
    entity_id: str
    """Empty for citizens and for the services of the suite, which belong to no entity."""
    roles: frozenset[str]

    def has(self, role: str) -> bool:
        return role in self.roles

    def may_act_for(self, entity_id: str) -> bool:
        """Whether the entity is the caller's own, or the caller acts for all of them.

        Those are holders of "ministry.admin" and the suite's services. A service that an entity runs
        acts for that entity alone, and a citizen for none.
        """
        if self.kind == "citizen":
            return False
        if MINISTRY_ADMIN in self.roles or (self.kind == "service" and not self.entity_id):
            return True
        return bool(entity_id) and entity_id == self.entity_id


@dataclass(slots=True, eq=False)
class Call:
    """What the interceptor knows about the call in hand."""

    caller: Caller
    method: str
    """As on the wire: "/rossio.mail.v1.MailService/Submit"."""
    ends_at: float | None
    """The deadline, on the monotonic clock; None where there is none."""
    request_id: str = ""
    ended: Failure | None = None
    """How the server has ended the call before its handler did."""


_call: ContextVar[Call] = ContextVar("rpc_call")


def enter(call: Call) -> None:
    """Makes this the current call; each call runs in a task, so in a context, of its own."""
    _call.set(call)


def current() -> Call:
    """Returns the call that is being handled.

    Raises:
        LookupError: no call is.
    """
    return _call.get()


def caller() -> Caller:
    """Returns who is calling, inside a handler.

    Raises:
        LookupError: outside one.
    """
    return _call.get().caller


def request_id() -> str:
    """Returns the idempotency key of the request (AIP-155); empty for a method that does not write."""
    return _call.get().request_id


def time_left() -> float | None:
    """Returns the seconds to the deadline of the call in hand; None without deadline or outside a call."""
    call = _call.get(None)
    return None if call is None or call.ends_at is None else max(0.0, call.ends_at - time.monotonic())


def derived_id(*parts: str) -> str:
    """Returns an id that depends on caller, method, request_id and `parts`, and on nothing else.

    A write that creates something under this id is one effect, however often the request comes.
    32 hexadecimal digits, of which nobody can guess one without knowing the request_id.
    """
    call = _call.get()
    if not call.request_id:
        raise LookupError(f"{call.method} carries no request_id: its rule does not say that it writes")
    words = (call.caller.subject, call.caller.entity_id, call.method, call.request_id, *parts)
    told_apart = b"".join(len(word := text.encode()).to_bytes(4) + word for text in words)
    return hashlib.blake2b(told_apart, digest_size=16, person=b"rossio.rpc.id").hexdigest()
