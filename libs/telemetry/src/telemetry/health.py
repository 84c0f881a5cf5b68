"""Whether the process is ready for work: a registry of named checks.

A check is a cheap synchronous function that returns None when all is well, else one line that says
what is not. Components look after their own dependencies and only report here.
"""

from collections.abc import Callable

from telemetry import names

Check = Callable[[], str | None]
_checks: dict[str, Check] = {}


def check(name: str, fn: Check) -> None:
    """Registers a readiness check, or replaces the one of that name."""
    _checks[name] = fn


def forget(name: str) -> None:
    """Removes a check; no matter whether it was there."""
    _checks.pop(name, None)


def report() -> dict[str, str | None]:
    """Runs every check and returns what each says."""
    said = {name: fn() for name, fn in _checks.items()}
    for name, trouble in said.items():
        names.READY.bind(check=name).set(trouble is None)
    return said


def ready() -> bool:
    """Whether every check holds; a process without checks is ready."""
    return all(trouble is None for trouble in report().values())
