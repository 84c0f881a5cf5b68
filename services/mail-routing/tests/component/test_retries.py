"""A client that did not hear our 250 hands the same mail in again, and it arrives once."""

import asyncio
import smtplib
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from .asking import trace  # type: ignore[import-not-found]  # "mail-routing" is no module name
from .conftest import (  # type: ignore[import-not-found]
    TRUSTED,
    As,
    Mail,
    address,
    marker,
    sinking,
    until,
)

ANA, RUI, EVA = "mr-ana", "mr-rui", "mr-eva"
LARGE = b"0123456789abcd\r\n" * 40_000


def content(mark: bytes, ago: int, body: bytes) -> bytes:
    date = format_datetime(datetime.now(UTC) - timedelta(seconds=ago)).encode()
    return b"From: ana\r\nMessage-ID: <" + mark + b"@client.test>\r\nDate: " + date + b"\r\n\r\n" + body


def break_off(mail: Mail, to: list[str], octets: bytes) -> None:
    """A client that is gone as soon as it has sent the last octet."""
    client = mail.client(TRUSTED)
    client.ehlo()
    client.mail(address(ANA))
    for each in to:
        client.rcpt(each)
    client.putcmd("DATA")
    client.getreply()
    client.send(octets + b".\r\n")
    client.close()


@pytest.mark.parametrize("body", [b"hello\r\n", LARGE], ids=["small", "large"])
async def test_a_client_that_breaks_off_and_comes_back_has_sent_one_mail(mail: Mail, caller: As, body: bytes) -> None:
    mark = marker()
    octets, to = content(mark, 60, body), [address(RUI), "x@sink.test"]
    before = len(await traced(caller))
    async with sinking(mail.sink_port) as sink:
        await asyncio.to_thread(break_off, mail, to, octets)
        await mail.letter(RUI, mark)
        await until(lambda: sink.with_marker(mark))
        for _ in range(3):
            await asyncio.to_thread(mail.send, address(ANA), to, octets, TRUSTED)
        await settled(mail)
        assert len(sink.with_marker(mark)) == 1
    assert len(mail.letters(RUI, mark)) == 1
    assert len(await traced(caller)) == before + 1


async def test_who_comes_back_at_once_has_sent_one_mail_to_the_next_hop_too(mail: Mail) -> None:
    mark = marker()
    octets = content(mark, 0, b"hello\r\n")
    async with sinking(mail.sink_port) as sink:
        for _ in range(3):
            await asyncio.to_thread(mail.send, address(ANA), ["x@sink.test"], octets, TRUSTED)
        await settled(mail)
        assert len(sink.with_marker(mark)) == 1


async def test_who_comes_back_at_once_after_the_death_of_a_process_is_in_the_mailbox_once(mail: Mail) -> None:
    mark = marker()
    octets, to = content(mark, 0, b"hello\r\n"), [address(RUI), address(EVA)]
    mail.program.stop()
    mail.program.settings["ROSSIO_KILL_AT"] = "mail.accept.durable"
    await asyncio.to_thread(mail.program.start)
    del mail.program.settings["ROSSIO_KILL_AT"]
    with suppress(smtplib.SMTPServerDisconnected):
        await asyncio.to_thread(mail.send, address(ANA), to, octets, TRUSTED)
    await until(lambda: mail.program.exit_code is not None)
    await asyncio.to_thread(mail.program.start)
    await asyncio.to_thread(mail.send, address(ANA), to, octets, TRUSTED)
    await settled(mail)
    assert [len(mail.letters(person, mark)) for person in (RUI, EVA)] == [1, 1]


async def settled(mail: Mail) -> None:
    """Once as many later mails have arrived as go through every partition."""
    marks = [marker() for _ in range(20)]
    for mark in marks:
        plain = b"From: ana\r\nX-Mark: " + mark + b"\r\n\r\nhello\r\n"
        await asyncio.to_thread(mail.send, address(ANA), [address(RUI)], plain, TRUSTED)
    for mark in marks:
        await mail.letter(RUI, mark)


async def traced(caller: As) -> set[str]:
    """The ids of the mails from Ana to the sink."""
    return {each.message_id for each in await trace(caller(ANA), recipient="x@sink.test", limit=1000)}
