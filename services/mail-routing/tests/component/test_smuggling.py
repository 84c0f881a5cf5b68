"""One mail is one mail: data that end in doubtful ways, sent to us, through us to a Postfix, and through it to us.

The smuggling of https://www.postfix.org/smtp-smuggling.html needs two servers that disagree on where data end. The
Postfix of Debian 12 ends them at a bare LF when asked to; neither side of us may then see what the other did not.
"""

import asyncio
import os
import shutil
import smtplib
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from devstack.program import Program, listens

from .conftest import TRUSTED, Mail, address, marker, sinking, until  # type: ignore[import-not-found]

RUI = "mr-rui"
ENDS = [b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r\n.\r", b"\r.\r\n", b"\n.\r", b"\r\n\0.\r\n"]

MASTER = """\
127.0.0.1:{port} inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
smtp unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
proxymap unix - - n - - proxymap
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""
MAIN = """\
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/state
maillog_file = /dev/stdout
myhostname = postfix.test
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
smtpd_relay_restrictions = permit_mynetworks, reject
disable_dns_lookups = yes
smtp_host_lookup = native
alias_maps =
transport_maps = inline:{{ {{ mr-a.test = smtp:[127.0.0.1]:{ours} }}, {{ postfix.test = smtp:[127.0.0.1]:{sink} }} }}
default_transport = discard:
"""


class Postfix(Program):
    """Debian's Postfix in a folder of its own: mail for mr-a.test goes to us, for postfix.test to the sink."""

    def __init__(self, folder: Path, port: int, ours: int, sink: int) -> None:
        super().__init__("postfix", folder)
        self.port = port
        self._ports = {"port": port, "ours": ours, "sink": sink}

    def command(self) -> list[str]:
        etc = self.folder / "etc"
        for path in (etc, self.folder / "queue", self.folder / "state"):
            path.mkdir(parents=True, exist_ok=True)
        shutil.chown(self.folder / "state", "postfix")
        (etc / "main.cf").write_text(MAIN.format(folder=self.folder, **self._ports))
        (etc / "master.cf").write_text(MASTER.format(**self._ports))
        subprocess.run(
            ["/usr/sbin/postfix", "-c", str(etc), "check"], check=True, timeout=60, stderr=subprocess.DEVNULL
        )
        return ["/usr/lib/postfix/sbin/master", "-c", str(etc), "-s"]

    def ready(self) -> bool:
        return listens(self.port)


@pytest.fixture(scope="module")
def postfix(mail: Mail) -> Iterator[Postfix]:
    if os.geteuid() != 0 or not Path("/usr/sbin/postfix").exists():
        pytest.skip("Postfix starts as root alone, or is not installed")
    # Not below pytest's folders, which belong to root alone: Postfix's processes are users of their own.
    folder = Path("/tmp") / f"rossio-postfix-{marker().decode()[:8]}"
    program = Postfix(folder, mail.postfix_port, mail.smtp[1], mail.sink_port)
    program.start()
    yield program
    program.stop()
    shutil.rmtree(folder)


async def talk(port: int, source: str, *parts: bytes) -> list[bytes]:
    """The replies to the parts, each sent when the one before was answered; as long as the server speaks."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(source, 0))
    heard = [await reader.readline()]
    try:
        for part in parts:
            writer.write(part)
            while (line := await asyncio.wait_for(reader.readline(), 60)) and line[3:4] == b"-":
                pass
            heard.append(line)
    finally:
        writer.close()
    return heard


def attack(to: str, mark: bytes, end: bytes) -> list[bytes]:
    """A mail whose data hold a second one behind a doubtful end; the end that nobody doubts comes last."""
    hidden = f"MAIL FROM:<evil@else.test>\r\nRCPT TO:<{to}>\r\nDATA\r\n".encode() + b"X-Mark: " + mark + b"\r\n\r\n2"
    return [
        b"EHLO c.test\r\n",
        b"MAIL FROM:<x@else.test>\r\n",
        f"RCPT TO:<{to}>\r\n".encode(),
        b"DATA\r\n",
        b"X-Mark: " + mark + b"\r\n\r\n1" + end + hidden + b"\r\n.\r\n",
    ]


def plain(to: str, mark: bytes) -> list[bytes]:
    return [*attack(to, mark, b"")[:4], b"X-Mark: " + mark + b"\r\n\r\nlast\r\n.\r\n"]


@pytest.mark.parametrize("end", ENDS, ids=repr)
async def test_we_alone_see_one_mail_and_refuse_it(mail: Mail, end: bytes) -> None:
    heard = await talk(mail.smtp[1], "127.0.0.1", *attack(address(RUI), mark := marker(), end))
    assert heard[-1].startswith(b"550 5.6.0")
    await talk(mail.smtp[1], "127.0.0.1", *plain(address(RUI), mark))
    assert b"last" in await mail.letter(RUI, mark)


async def test_in_front_of_postfix_nothing_doubtful_comes_through(mail: Mail, postfix: Postfix) -> None:
    async with sinking(mail.sink_port) as sink:
        marks = [marker() for _ in ENDS]
        for mark, end in zip(marks, ENDS, strict=True):
            heard = await talk(mail.smtp[1], TRUSTED, *attack("a@postfix.test", mark, end))
            assert heard[-1].startswith(b"550 5.6.0")
        await talk(mail.smtp[1], TRUSTED, *plain("a@postfix.test", last := marker()))
        await until(lambda: sink.with_marker(last))
        assert [len(sink.with_marker(mark)) for mark in marks] == [0] * len(ENDS)


def whole(mark: bytes) -> bytes:
    """Dots, eight bits, a long line, and a last line that is only a dot."""
    return b"From: ana\r\nX-Mark: " + mark + b"\r\n\r\nol\xc3\xa1\r\n.\r\n..dots\r\n" + b"x" * 990 + b"\r\n.\r\n"


def body(letter: bytes) -> bytes:
    """What is below the header section, to which Postfix adds fields where it likes."""
    return letter.partition(b"\r\n\r\n")[2]


async def test_postfix_as_the_next_hop_has_mail_for_many_byte_for_byte(mail: Mail, postfix: Postfix) -> None:
    to = [f"x{number}@postfix.test" for number in range(30)]
    async with sinking(mail.sink_port) as sink:
        await asyncio.to_thread(mail.send, address("mr-ana"), to, whole(mark := marker()), TRUSTED)
        await until(lambda: len([one for _, some, _ in sink.with_marker(mark) for one in some]) >= len(to))
        found = sink.with_marker(mark)
    assert sorted(one for _, some, _ in found for one in some) == sorted(to)
    assert {body(letter) for _, _, letter in found} == {body(whole(mark))}


async def test_postfix_as_the_previous_hop_hands_on_byte_for_byte_and_bounces_whom_we_refuse(
    mail: Mail, postfix: Postfix
) -> None:
    async with sinking(mail.sink_port) as sink:
        with smtplib.SMTP("127.0.0.1", postfix.port, timeout=30) as client:
            to = [address(RUI), address("mr-ana"), "nobody@mr-a.test"]
            client.sendmail("far@postfix.test", to, whole(mark := marker()))
        for person in (RUI, "mr-ana"):
            assert body(await mail.letter(person, mark)) == body(whole(mark))
        await until(lambda: sink.with_marker(mark))
        ((sender, recipients, report),) = sink.with_marker(mark)
    assert (sender, recipients) == ("", ["far@postfix.test"])
    assert b"Final-Recipient: rfc822; nobody@mr-a.test" in report
    assert b"Status: 5.1.1" in report


async def test_behind_postfix_we_see_no_more_mails_than_it_took(mail: Mail, postfix: Postfix) -> None:
    """It may be fooled itself; what it hands on as one mail stays one, or is refused and bounced."""
    taken: dict[bytes, int] = {}
    for end in ENDS:
        mark = marker()
        heard = await talk(postfix.port, "127.0.0.1", *attack(address(RUI), mark, end), b"QUIT\r\n")
        # Of a second mail the first answer comes where that of QUIT would be.
        taken[mark] = 1 if heard[-1].startswith(b"221") else 2
        await talk(postfix.port, "127.0.0.1", *plain(address(RUI), last := marker()))
        await mail.letter(RUI, last)
    assert all(len(mail.letters(RUI, mark)) <= most for mark, most in taken.items())
    assert any(mail.letters(RUI, mark) for mark in taken)
