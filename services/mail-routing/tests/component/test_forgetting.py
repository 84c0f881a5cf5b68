"""What became of a mail is forgotten in time, and not while any of it may go on."""

import asyncio

import pytest

from .asking import rule, ruled, trace  # type: ignore[import-not-found]  # "mail-routing" is no module name
from .conftest import (  # type: ignore[import-not-found]
    TRUSTED,
    As,
    Mail,
    address,
    make_all_due,
    marker,
    sinking,
    until,
)

ANA, RUI, EVA, NUNO = "mr-ana", "mr-rui", "mr-eva", "mr-nuno"


@pytest.fixture(scope="module")
def own_settings() -> dict[str, str]:
    """A mail is known for half a second."""
    return {"TRACE_DAYS": str(0.5 / 86400)}


async def test_what_ended_is_forgotten_and_what_waits_or_is_kept_back_is_known(mail: Mail, caller: As) -> None:
    waits, back, ends = marker(), marker(), marker()

    async def known() -> set[tuple[str, ...]]:
        """The recipients of the mails of which anything is known."""
        traced = await trace(caller(ANA), sender=address(ANA))
        return {tuple(outcome.address for outcome in each.outcomes) for each in traced}

    async def known_are(*recipients: tuple[str, ...]) -> bool:
        return await known() == set(recipients)

    async def send(mark: bytes, *to: str) -> None:
        await asyncio.to_thread(mail.send, address(ANA), list(to), b"X-Mark: " + mark + b"\r\n\r\nhello\r\n", TRUSTED)

    half_done, kept_back = (address(RUI), "x@sink.test"), (address(EVA),)
    async with ruled(caller, rule("back", {"recipient": address(EVA)}, ("quarantine", "looks dangerous"))):
        await send(waits, *half_done)
        await send(back, *kept_back)
        await mail.letter(RUI, waits)
        await send(ends, address(NUNO))
        await mail.letter(NUNO, ends)
        await until(lambda: known_are(half_done, kept_back))
        await asyncio.sleep(1.5)  # as long as it is kept, and twice
        assert await known() == {half_done, kept_back}
    async with sinking(mail.sink_port) as sink:
        await make_all_due(mail)
        await until(lambda: sink.with_marker(waits))
        await until(lambda: known_are(kept_back))
