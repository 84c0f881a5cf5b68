from pathlib import Path

import pytest
import service
from service.settings import read


class Own(service.Settings):
    greeting: str = "olá"
    must: int


@pytest.fixture(autouse=True)
def must(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MUST", "7")


def test_variables_are_read_with_the_prefix_and_without_and_the_prefix_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAFKA_BOOTSTRAP", "plain:9092")
    monkeypatch.setenv("ROSSIO_MONGODB_URI", "mongodb://prefixed")
    monkeypatch.setenv("GREETING", "plain")
    monkeypatch.setenv("ROSSIO_GREETING", "prefixed")
    settings = read(Own)
    assert settings.kafka_bootstrap == "plain:9092"
    assert settings.mongodb_uri == "mongodb://prefixed"
    assert settings.greeting == "prefixed"
    assert settings.must == 7


def test_an_empty_variable_counts_as_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTLP_ENDPOINT", "")
    monkeypatch.setenv("ROLES", "")
    monkeypatch.setenv("DATA_PATH", "")
    assert read(Own).otlp_endpoint is None
    assert read(Own).roles == frozenset()
    assert read(Own).data_path == Path(".rossio/data")


def test_roles_are_a_list_with_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROLES", "api, worker,")
    assert read(Own).roles == {"api", "worker"}


def test_every_wrong_variable_has_a_line_with_its_name_and_without_its_value(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = {
        "GRPC_ADDRESS": "secret-host",
        "ADMIN_ADDRESS": "host:port",
        "ROSSIO_TRACE_SAMPLE_RATIO": "1.5",
        "LOG_LEVEL": "secret-loud",
        "DRAIN_SECONDS": "-1",
        "BLOBS": "secret-cloud",
        "MUST": "secret-word",
    }
    for name, value in wrong.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(service.WrongSettings) as refused:
        read(Own)
    lines = str(refused.value).splitlines()
    assert {line.partition(":")[0] for line in lines} == set(wrong)
    assert len(lines) == len(wrong)
    assert "secret" not in str(refused.value)
    assert refused.value.__cause__ is refused.value.__context__ is None  # the cause would show the values


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MUST")
    with pytest.raises(service.WrongSettings, match="MUST: Field required"):
        read(Own)


@pytest.mark.parametrize(
    ("address", "parts"),
    [
        ("127.0.0.1:7100", ("127.0.0.1", 7100)),
        ("[::1]:0", ("::1", 0)),
        (":80", ("", 80)),
        ("mail.e01:1", ("mail.e01", 1)),
    ],
)
def test_addresses(monkeypatch: pytest.MonkeyPatch, address: str, parts: tuple[str, int]) -> None:
    monkeypatch.setenv("GRPC_ADDRESS", address)
    assert service.host_and_port(read(Own).grpc_address) == parts


def test_a_key_does_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BLOBS_MASTER_KEY", "c2VjcmV0")
    assert "c2VjcmV0" not in repr(read(Own))
