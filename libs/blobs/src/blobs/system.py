"""Functions of the C library, which other systems may lack."""

import ctypes
from collections.abc import Callable
from typing import Any


def function(name: str, *arguments: type[Any]) -> Callable[..., Any] | None:
    """The one of that name, for arguments of these types; None where there is none."""
    found = getattr(ctypes.CDLL(None), name, None)
    if found is not None:
        found.argtypes = arguments
    return found
