"""What `rossio prepare` and `rossio check` say when they cannot do their work."""

import pytest
from cli.main import app
from errors import Invalid, Transient
from typer.testing import CliRunner

MONGODB = "mongodb://user:secret@127.0.0.1:1/?serverSelectionTimeoutMS=100"


def failure(*arguments: str, **environment: str) -> BaseException | None:
    return CliRunner().invoke(app, arguments, env=environment).exception


def test_a_store_that_is_down_is_named_without_its_password() -> None:
    error = failure("prepare", "--within", "0", KAFKA_BOOTSTRAP="127.0.0.1:1", MONGODB_URI=MONGODB)
    assert isinstance(error, Transient)
    assert "no answer from MongoDB at 127.0.0.1:1" in str(error)
    assert "secret" not in str(error).replace("in its secret", "")


def test_a_password_that_is_not_escaped_is_said_and_not_shown() -> None:
    error = failure("prepare", KAFKA_BOOTSTRAP="127.0.0.1:1", MONGODB_URI="mongodb://user:pass@word@store:27017")
    assert isinstance(error, Invalid)
    assert "global.mongodb.existingSecret: no URI of a store" in str(error)
    assert "written %40" in str(error)
    assert "word@store" not in str(error)


def test_brokers_that_are_down_are_named(mongo: str) -> None:
    error = failure("prepare", "--within", "0", KAFKA_BOOTSTRAP="127.0.0.1:1", MONGODB_URI=mongo)
    assert isinstance(error, Transient)
    assert "no answer from Kafka at 127.0.0.1:1: look at global.kafka (Kafka does not answer" in str(error)


def test_a_password_that_would_go_in_clear_is_said_at_once_and_not_shown() -> None:
    told = {"KAFKA_SASL_MECHANISM": "PLAIN", "KAFKA_SASL_USERNAME": "rossio", "KAFKA_SASL_PASSWORD": "horse"}
    for command in (("prepare",), ("dlq", "list")):
        error = failure(*command, KAFKA_BOOTSTRAP="127.0.0.1:1", MONGODB_URI=MONGODB, **told)
        assert isinstance(error, Invalid), command
        assert str(error).startswith("KAFKA_TLS: has to be true, since KAFKA_SASL_MECHANISM is set")
        assert "horse" not in str(error)


def test_topics_are_made_as_they_have_to_be(mongo: str, kafka: str) -> None:
    done = CliRunner().invoke(app, ["prepare"], env={"KAFKA_BOOTSTRAP": kafka, "MONGODB_URI": mongo})
    assert done.exception is None
    assert "streams have their topics" in done.output


@pytest.mark.parametrize("missing", ["KAFKA_BOOTSTRAP", "MONGODB_URI"])
def test_what_is_not_said_is_asked_for(missing: str) -> None:
    told = {"KAFKA_BOOTSTRAP": "127.0.0.1:1", "MONGODB_URI": MONGODB, missing: ""}
    error = failure("prepare", **told)
    assert isinstance(error, Invalid)
    assert str(error).startswith(f"{missing} is not set")


def test_a_check_asks_where_the_installation_is(tmp_path) -> None:
    error = failure("check", "--issuer", str(tmp_path), ROSSIO_ENDPOINTS="", ROSSIO_SMTP="")
    assert isinstance(error, Invalid)
    assert "ROSSIO_ENDPOINTS" in str(error)
