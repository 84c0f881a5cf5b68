"""Parts of documents as dataclasses, whichever release wrote them."""

from collections.abc import Mapping
from dataclasses import fields
from functools import cache
from typing import Any, TypeVar, cast

Record = TypeVar("Record")


def known(kind: type[Record], stored: Mapping[str, Any]) -> Record:
    """The dataclass, of those fields that it has; those that are not stored have their defaults.

    While a release is rolled out, or after it was rolled back, a process meets fields of a later one. It passes over
    them; where it writes the part anew, they are gone until the later release writes them again.

    Raises:
        TypeError: a field without a default is not stored.
    """
    return kind(**{name: stored[name] for name in _names(cast("Any", kind)) if name in stored})


@cache
def _names(kind: Any) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind) if field.init)
