"""What a machine lacks is said: by failing in CI, by skipping elsewhere."""

import pytest

pytest_plugins = ["pytester"]
NEEDS_KAFKA = """
def test_on_kafka(kafka):
    assert kafka
"""


@pytest.fixture(autouse=True)
def machine_without_java(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.delenv("KAFKA_BOOTSTRAP", raising=False)
    monkeypatch.delenv("CI", raising=False)


def test_without_java_a_test_on_kafka_is_skipped_with_the_reason(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(NEEDS_KAFKA)
    result = pytester.runpytest_subprocess("-rs")
    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines(["*SKIPPED*needs Java 17*apt-get install*"])


def test_in_ci_it_fails_with_the_reason(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "1")
    pytester.makepyfile(NEEDS_KAFKA)
    result = pytester.runpytest_subprocess()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*needs Java 17*apt-get install*"])


def test_a_given_kafka_is_used(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAFKA_BOOTSTRAP", "kafka.example:9092")
    pytester.makepyfile("def test_on_kafka(kafka):\n    assert kafka == 'kafka.example:9092'")
    pytester.runpytest_subprocess().assert_outcomes(passed=1)


def test_what_asks_for_kafka_carries_its_mark(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(NEEDS_KAFKA + "\n\ndef test_elsewhere():\n    pass\n")
    result = pytester.runpytest_subprocess("-m", "not kafka")
    result.assert_outcomes(passed=1, deselected=1)
