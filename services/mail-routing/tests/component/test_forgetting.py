"""What became of a mail is forgotten in time, and not while any of it may go on."""

import asyncio
import shutil
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from devstack.issuer import Issuer
from devstack.services import Surroundings

from .asking import rule, ruled, trace  # type: ignore[import-not-found]  # "mail-routing" is no module name
from .conftest import (  # type: ignore[import-not-found]
    TRUSTED,
    As,
    Mail,
    address,
    mail_routing,
    make_all_due,
    marker,
    publish_directory,
    sinking,
    until,
)

ANA, RUI, EVA, NUNO = "mr-ana", "mr-rui", "mr-eva", "mr-nuno"


@pytest.fixture(scope="module")
def mail(
    streams: str, mongo: str, issuer: Issuer, tmp_path_factory: pytest.TempPathFactory, certificate: Path
) -> Iterator[Mail]:
    """mail-routing that knows of a mail for half a second."""
    asyncio.run(publish_directory(streams))
    surroundings = Surroundings(streams, mongo, issuer, database_prefix=f"test_{uuid4().hex}_")
    made = mail_routing(tmp_path_factory.mktemp("mail"), surroundings, certificate)
    made.program.settings["TRACE_DAYS"] = str(0.5 / 86400)
    made.program.start()
    yield made
    made.program.kill()
    shutil.rmtree(made.maildirs, ignore_errors=True)


async def test_what_ended_is_forgotten_and_what_waits_or_is_kept_back_is_known(mail: Mail, caller: As) -> None:
    waits, back, ends = marker(), marker(), marker()

    async def known() -> set[tuple[str, ...]]:
        """The recipients of the mails of which anything is known."""
        traced = await trace(caller(ANA), sender=address(ANA))
        return {tuple(outcome.address for outcome in each.outcomes) for each in traced}

    def known_are(recipients: set[tuple[str, ...]]) -> Callable[[], Awaitable[bool]]:
        async def asked() -> bool:
            return await known() == recipients

        return asked

    async def send(mark: bytes, *to: str) -> None:
        await asyncio.to_thread(mail.send, address(ANA), list(to), b"X-Mark: " + mark + b"\r\n\r\nhello\r\n", TRUSTED)

    half_done, kept_back = (address(RUI), "x@sink.test"), (address(EVA),)
    async with ruled(caller, rule("back", {"recipient": address(EVA)}, ("quarantine", "looks dangerous"))):
        await send(waits, *half_done)
        await send(back, *kept_back)
        await mail.letter(RUI, waits)
        await send(ends, address(NUNO))
        await mail.letter(NUNO, ends)
        await until(known_are({half_done, kept_back}))
        await asyncio.sleep(1.5)  # as long as it is kept, and twice
        assert await known() == {half_done, kept_back}
    async with sinking(mail.sink_port) as sink:
        await make_all_due(mail)
        await until(lambda: sink.with_marker(waits))
        await until(known_are({kept_back}))
