"""What is said of settings that cannot be, before a broker is asked."""

from typing import Any

import pytest
from errors import Invalid
from messaging import Sasl, Tls, Told, from_environment

USER: dict[str, Any] = {"sasl_mechanism": "SCRAM-SHA-512", "sasl_username": "rossio", "sasl_password": "horse"}


@pytest.fixture
def pem(tmp_path):
    path = tmp_path / "none.pem"
    path.write_text("no certificate")
    return path


def test_nothing_is_asked_for_where_nothing_is_said():
    assert Told().security() == (None, None)


def test_what_fits_is_taken():
    tls, sasl = Told(tls=True, **USER).security()
    assert tls == Tls()
    assert sasl == Sasl("rossio", "horse")


@pytest.mark.parametrize(
    ("told", "lines"),
    [
        ({"tls_authority": "ca.crt"}, ["KAFKA_TLS: has to be true, since KAFKA_TLS_AUTHORITY is set"]),
        ({"tls": True, "tls_certificate": "c"}, ["KAFKA_TLS_KEY: needed, since KAFKA_TLS_CERTIFICATE is set"]),
        ({"tls": True, "tls_key": "k"}, ["KAFKA_TLS_CERTIFICATE: needed, since KAFKA_TLS_KEY is set"]),
        (
            {"sasl_password": "horse"},
            [
                (
                    "KAFKA_SASL_MECHANISM: needed, since KAFKA_SASL_PASSWORD is set; "
                    "it is one of SCRAM-SHA-512, SCRAM-SHA-256, PLAIN"
                )
            ],
        ),
        ({**USER, "sasl_mechanism": "GSSAPI"}, ["KAFKA_SASL_MECHANISM: one of SCRAM-SHA-512, SCRAM-SHA-256, PLAIN"]),
        (
            {"tls": True, "sasl_mechanism": "PLAIN"},
            [
                "KAFKA_SASL_USERNAME: needed, since KAFKA_SASL_MECHANISM is set",
                "KAFKA_SASL_PASSWORD: needed, since KAFKA_SASL_MECHANISM is set",
            ],
        ),
        (
            USER,
            [
                (
                    "KAFKA_TLS: has to be true, since KAFKA_SASL_MECHANISM is set; "
                    "or set KAFKA_SASL_WITHOUT_TLS to true where nobody else hears the network"
                )
            ],
        ),
    ],
)
def test_what_does_not_fit_is_a_line_that_says_what_to_set(told, lines):
    with pytest.raises(Invalid) as caught:
        Told(**told).security()
    assert str(caught.value).splitlines() == lines
    assert "horse" not in repr(Told(**told))


def test_files_that_hold_no_certificate_are_named(pem, tmp_path):
    with pytest.raises(Invalid, match=f"^KAFKA_TLS_AUTHORITY: no PEM of a certificate in {pem}$"):
        Told(tls=True, tls_authority=pem).security()
    gone = tmp_path / "gone.pem"
    with pytest.raises(Invalid, match=f"^KAFKA_TLS_CERTIFICATE: no PEM of a certificate and its key in {pem} and"):
        Told(tls=True, tls_certificate=pem, tls_key=gone).security()


def test_a_variable_of_a_tool_that_is_neither_true_nor_false_is_named(monkeypatch):
    monkeypatch.setenv("KAFKA_TLS", "ture")
    with pytest.raises(Invalid, match=r"^KAFKA_TLS: true or false$"):
        from_environment("nowhere:1")
