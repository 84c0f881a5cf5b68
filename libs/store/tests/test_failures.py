from typing import Any

import pytest
import telemetry
from errors import Conflict, Invalid, RossioError, Transient
from pymongo import errors as driver
from store import Collection
from store.failures import translated
from telemetry import capture, semconv


def refused(code: int) -> dict[str, Any]:
    return {"writeErrors": [{"code": code}], "writeConcernErrors": []}


LABELLED = driver.OperationFailure("x", 4711, {"errorLabels": ["RetryableWriteError"]})


@pytest.mark.parametrize(
    ("raised", "kind", "reason"),
    [
        (driver.AutoReconnect("x"), Transient, "STORE_UNAVAILABLE"),
        (driver.NetworkTimeout("x"), Transient, "STORE_UNAVAILABLE"),
        (driver.ServerSelectionTimeoutError("x"), Transient, "STORE_UNAVAILABLE"),
        (driver.NotPrimaryError("x"), Transient, "STORE_UNAVAILABLE"),
        (driver.WaitQueueTimeoutError("x"), Transient, "STORE_UNAVAILABLE"),
        (driver.WTimeoutError("x", 64), Transient, "STORE_UNAVAILABLE"),
        (driver.ExecutionTimeout("x", 50), Transient, "STORE_UNAVAILABLE"),
        (driver.OperationFailure("stepped down", 189), Transient, "STORE_UNAVAILABLE"),
        (driver.OperationFailure("write conflict", 112), Transient, "STORE_UNAVAILABLE"),
        (driver.OperationFailure("full disk", 14031), Transient, "STORE_FULL"),
        (driver.BulkWriteError(refused(14031)), Transient, "STORE_FULL"),
        (driver.BulkWriteError(refused(1)), Transient, "STORE_UNAVAILABLE"),
        (driver.OperationFailure("panic", 1), Transient, "STORE_UNAVAILABLE"),
        (LABELLED, Transient, "STORE_UNAVAILABLE"),
        (driver.DuplicateKeyError("maria@example.pt", 11000, {"keyPattern": {"a": 1}}), Conflict, "ALREADY_EXISTS"),
        (driver.DuplicateKeyError("x", 11000, None), Conflict, "ALREADY_EXISTS"),
        (driver.DocumentTooLarge("x"), Invalid, "TOO_LARGE"),
        (driver.OperationFailure("x", 10334), Invalid, "TOO_LARGE"),
        (driver.OperationFailure("x", 86), Conflict, "INDEX_DIFFERS"),
        (driver.OperationFailure("bad auth: maria", 18), Transient, "STORE_REFUSES"),
        (driver.OperationFailure("not authorized on maria", 13), Transient, "STORE_REFUSES"),
    ],
)
def test_what_the_driver_raises_is_said_in_our_words(raised: Exception, kind: type[RossioError], reason: str) -> None:
    with pytest.raises(kind) as said, translated():
        raise raised
    assert said.value.reason == reason
    assert "maria" not in str(said.value)


@pytest.mark.parametrize(
    "raised", [driver.OperationFailure("bad operator", 9), driver.InvalidOperation("x"), KeyError()]
)
def test_a_bug_stays_what_it_is(raised: Exception) -> None:
    with pytest.raises(type(raised)) as said, translated():
        raise raised
    assert said.value is raised


async def test_a_command_is_a_span_of_the_operation_that_it_serves_and_of_no_trace_else(posts: Collection) -> None:
    with capture.spans() as seen:
        await posts.insert({"_id": "p1", "title": "Maria Canária"})
        assert seen == []
        with telemetry.observe("test"):
            await posts.update("p1", {"$set": {"title": "Outra Canária"}})
            with pytest.raises(Conflict):
                await posts.insert({"_id": "p1"})
    update, insert, operation = seen
    assert (update.name, update.kind, update.error) == ("store.update", "CLIENT", "")
    assert update.parent_id == insert.parent_id == operation.span_id
    assert update.attributes == {
        semconv.DB_SYSTEM_NAME: "mongodb",
        semconv.DB_COLLECTION_NAME: "posts",
        semconv.DB_OPERATION_NAME: "update",
    }
    assert insert.error == "ALREADY_EXISTS"
    assert "Can" not in repr(seen)


async def test_each_command_is_counted_with_how_it_ended(posts: Collection) -> None:
    def count(outcome: str) -> float:
        _, exposed = telemetry.exposition()
        name = f'rossio_store_duration_seconds_count{{collection="posts",operation="insert",outcome="{outcome}"}}'
        return sum(float(line.split()[-1]) for line in exposed.decode().splitlines() if line.startswith(name))

    before = count("ok"), count("conflict")
    await posts.insert({"_id": "p1"})
    with pytest.raises(Conflict):
        await posts.insert({"_id": "p1"})
    assert (count("ok"), count("conflict")) == (before[0] + 1, before[1] + 1)
