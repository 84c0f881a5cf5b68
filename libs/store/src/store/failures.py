"""The driver's exceptions, said in the words of `errors`."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Final

import telemetry
from errors import Conflict, Invalid, RossioError, Transient
from pymongo.errors import (
    BulkWriteError,
    ConnectionFailure,
    DocumentTooLarge,
    ExecutionTimeout,
    OperationFailure,
    PyMongoError,
    WTimeoutError,
)

DUPLICATE_KEY: Final = 11000
_TOO_LARGE: Final = frozenset({10334, 17419, 17420})
_INDEX_DIFFERS: Final = frozenset({85, 86})
# What failed in the server itself: InternalError, UnknownError, TooManyFilesOpen.
_FAILED: Final = frozenset({1, 8, 264})
_OUT_OF_DISK_SPACE: Final = 14031
# The server is starting, stepping down, stopping or overloaded: "retryable" in the driver
# specifications (retryable-writes, server-discovery-and-monitoring), and WriteConflict.
_RETRYABLE: Final = frozenset({6, 7, 64, 89, 91, 112, 134, 189, 262, 9001, 10107, 11600, 11602, 13435, 13436})
_TRANSIENT: Final = _FAILED | _RETRYABLE | {_OUT_OF_DISK_SPACE}
# What nobody's operation asked for, such as the relay's polling, begins no trace of its own.
_UNTRACED: Final = telemetry.Span("0" * 32, "0" * 16, sampled=False)


class Commands:
    """The commands to one collection: each has a span and a duration, and fails in our words."""

    def __init__(self, collection: str) -> None:
        self._collection = collection

    @contextmanager
    def run(self, operation: str) -> Iterator[None]:
        """Wraps the commands of one operation, such as "update"."""
        attributes = {
            telemetry.semconv.DB_SYSTEM_NAME: "mongodb",
            telemetry.semconv.DB_COLLECTION_NAME: self._collection,
            telemetry.semconv.DB_OPERATION_NAME: operation,
        }
        with (
            telemetry.span(
                f"store.{operation}",
                kind=telemetry.Kind.CLIENT,
                attributes=attributes,
                parent=telemetry.active() or _UNTRACED,
                done=self._done,
            ),
            translated(),
        ):
            yield

    def _done(self, name: str, seconds: float, outcome: str) -> None:
        operation = name.removeprefix("store.")
        telemetry.names.STORE.bind(collection=self._collection, operation=operation, outcome=outcome).observe(seconds)


@contextmanager
def translated() -> Iterator[None]:
    """Turns what the driver raises inside into one of `errors`; what is a bug passes as it is."""
    try:
        yield
    except (PyMongoError, DocumentTooLarge) as error:
        said = of(error)
        if said is None:
            raise
        if isinstance(said, Transient):
            raise said from error
        raise said from None  # the driver's text shows the values of the document


def of(error: PyMongoError | DocumentTooLarge) -> RossioError | None:
    """The typed error of a driver's error; None when it is a bug."""
    if isinstance(error, ConnectionFailure | WTimeoutError | ExecutionTimeout):
        return Transient("The store cannot be reached or is too slow.", reason="STORE_UNAVAILABLE")
    if isinstance(error, DocumentTooLarge):
        return _too_large()
    if isinstance(error, BulkWriteError):
        return _of_bulk(error)
    return _of_code(error) if isinstance(error, OperationFailure) else None


def _of_bulk(error: BulkWriteError) -> RossioError | None:
    """Duplicates are for who has asked for the bulk to understand."""
    if error.details["writeConcernErrors"]:
        return Transient("The store has not confirmed the writes.", reason="STORE_UNAVAILABLE")
    others = {failure["code"] for failure in error.details["writeErrors"]} - {DUPLICATE_KEY}
    if others and others <= _TRANSIENT:
        return _not_taken(others)
    return None


def _of_code(error: OperationFailure) -> RossioError | None:
    if error.code == DUPLICATE_KEY:
        return duplicate(error.details)
    if error.code in _TOO_LARGE:
        return _too_large()
    if error.code in _INDEX_DIFFERS:
        return Conflict("An index exists with other options; drop it first.", reason="INDEX_DIFFERS")
    if error.code in _TRANSIENT or error.has_error_label("RetryableWriteError"):
        return _not_taken({error.code})
    return None


def duplicate(details: object) -> Conflict:
    """The error of a second document with the same unique key; it names the fields and no value."""
    pattern = details.get("keyPattern") if isinstance(details, dict) else None
    return Conflict(
        "There is one with this key already.",
        reason="ALREADY_EXISTS",
        fields=", ".join(pattern) if isinstance(pattern, dict) else "",
    )


def _not_taken(codes: Collection[int | None]) -> Transient:
    if _OUT_OF_DISK_SPACE in codes:
        return Transient("The disk of the store is full.", reason="STORE_FULL")
    return Transient("The store is not taking this now.", reason="STORE_UNAVAILABLE")


def _too_large() -> Invalid:
    return Invalid("The document is larger than the store takes (16 MiB).", reason="TOO_LARGE")
