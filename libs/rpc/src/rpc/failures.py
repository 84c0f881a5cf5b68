"""Typed errors as gRPC statuses with google.rpc details, and back."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from errors import Conflict, Exhausted, Invalid, NotAllowed, NotFound, RossioError, Transient, Unauthenticated
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2  # type: ignore[import-untyped]  # has stubs, but no py.typed
from grpc import StatusCode, aio

from rpc.validation import INVALID_FIELD

DOMAIN = "rossio"
DETAILS_KEY = "grpc-status-details-bin"
ALREADY_EXISTS = "ALREADY_EXISTS"

_CODES: tuple[tuple[type[RossioError], StatusCode], ...] = (
    (Invalid, StatusCode.INVALID_ARGUMENT),
    (NotFound, StatusCode.NOT_FOUND),
    (NotAllowed, StatusCode.PERMISSION_DENIED),
    (Unauthenticated, StatusCode.UNAUTHENTICATED),
    (Conflict, StatusCode.ABORTED),
    (Exhausted, StatusCode.RESOURCE_EXHAUSTED),
    (Transient, StatusCode.UNAVAILABLE),
)
_ERRORS: dict[StatusCode, type[RossioError]] = {
    **{code: error for error, code in _CODES},
    StatusCode.ALREADY_EXISTS: Conflict,
    StatusCode.FAILED_PRECONDITION: Conflict,
    StatusCode.OUT_OF_RANGE: Invalid,
    StatusCode.DEADLINE_EXCEEDED: Transient,
    StatusCode.CANCELLED: Transient,
}
SERVER_FAULTS = frozenset(
    {StatusCode.UNKNOWN, StatusCode.INTERNAL, StatusCode.DEADLINE_EXCEEDED, StatusCode.UNAVAILABLE}
)
"""The codes that make a server's span an error; the others are the caller's (semantic conventions for RPC)."""


@dataclass(frozen=True, slots=True)
class Failure:
    """How a call ends that does not end well."""

    code: StatusCode
    message: str
    reason: str
    details: Mapping[str, str]

    def trailer(self) -> tuple[tuple[str, bytes], ...]:
        """Returns the trailing metadata: a google.rpc.Status with ErrorInfo, and BadRequest for fields."""
        status = status_pb2.Status(code=self.code.value[0], message=self.message)
        fields = self.reason == INVALID_FIELD
        info = error_details_pb2.ErrorInfo(reason=self.reason, domain=DOMAIN, metadata={} if fields else self.details)
        status.details.add().Pack(info)
        if fields:
            bad = error_details_pb2.BadRequest()
            for path, wrong in self.details.items():
                bad.field_violations.add(field=path, description=wrong)
            status.details.add().Pack(bad)
        return ((DETAILS_KEY, status.SerializeToString()),)


def failure_of(error: RossioError) -> Failure:
    """Returns the status for a typed error; one that has no code of its own is INTERNAL and says nothing."""
    for kind, code in _CODES:
        if isinstance(error, kind):
            found = StatusCode.ALREADY_EXISTS if error.reason == ALREADY_EXISTS else code
            return Failure(found, str(error), error.reason, error.details)
    return internal("")


def internal(trace_id: str) -> Failure:
    """Returns the status for a bug: nothing of it is told, but the trace by which it can be found."""
    return Failure(StatusCode.INTERNAL, "internal error", "INTERNAL", {"trace_id": trace_id} if trace_id else {})


OUT_OF_TIME = Failure(StatusCode.DEADLINE_EXCEEDED, "the method did not end in time", "DEADLINE", {})


@contextmanager
def typed_errors() -> Iterator[None]:
    """Turns the failure of a call that is made inside into the typed error that the server raised."""
    try:
        yield
    except aio.AioRpcError as error:
        raise error_of(error) from error


def error_of(error: aio.AioRpcError) -> RossioError:
    """Returns the typed error that the server raised.

    A status that no server of the suite sends, or sends for a bug, is a plain RossioError.
    """
    code = error.code()
    kind = _ERRORS.get(code, RossioError)
    reason, details = _told(error.trailing_metadata())
    typed = kind(error.details() or code.name, reason=reason or _reason_without(code, kind))
    typed.details.update(details)
    return typed


def _reason_without(code: StatusCode, kind: type[RossioError]) -> str:
    if code is StatusCode.DEADLINE_EXCEEDED:
        return OUT_OF_TIME.reason
    if code is StatusCode.ALREADY_EXISTS:
        return ALREADY_EXISTS
    return code.name if kind in {RossioError, Transient} else kind.default_reason


def _told(trailer: Iterable[tuple[str, str | bytes]] | None) -> tuple[str, dict[str, str]]:
    raw = next((value for key, value in trailer or () if key == DETAILS_KEY), b"")
    info, bad, status = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest(), status_pb2.Status()
    try:
        status.ParseFromString(raw if isinstance(raw, bytes) else raw.encode())
        for detail in status.details:
            if detail.TypeName() == info.DESCRIPTOR.full_name:
                detail.Unpack(info)
            elif detail.TypeName() == bad.DESCRIPTOR.full_name:
                detail.Unpack(bad)
    except DecodeError:
        return "", {}
    fields = {violation.field: violation.description for violation in bad.field_violations}
    return info.reason, dict(info.metadata) | fields
