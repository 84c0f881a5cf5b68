"""Waiting for what another task or process does."""

import asyncio
import inspect
from collections.abc import Callable
from typing import Any, Final

_AGAIN_SECONDS: Final = 0.01


async def until(look: Callable[[], Any], seconds: float = 60) -> Any:
    """What `look`, which may be asynchronous, sees, as soon as it is something; TimeoutError after so many seconds."""
    async with asyncio.timeout(seconds):
        while True:
            seen = look()
            if inspect.isawaitable(seen):
                seen = await seen
            if seen:
                return seen
            await asyncio.sleep(_AGAIN_SECONDS)
