"""Where mail goes when it does not end here: exchangers, connectors, a real Dovecot, split and dual delivery."""

import asyncio
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from uuid import uuid4

import pytest
from devstack.issuer import Issuer
from devstack.program import Missing, free_port
from devstack.services import Surroundings
from mail_routing.entrypoints.smtp.grammar import Reply
from rossio.mail.v1 import service_pb2
from testkit.dns_server import DnsServer
from testkit.small_disk import NoDisk, SmallDisk, small_disk

from .conftest import (  # type: ignore[import-not-found]  # "mail-routing" is no module name
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
from .dovecot import Dovecot  # type: ignore[import-not-found]

DNS_PORT = free_port()
DEFERRED, BOUNCED = (
    f'rossio_mail_outcomes_total{{lane="normal",outcome="{outcome}"}}' for outcome in ("deferred", "bounced")
)
ANA, EVA, DORA = "mr-ana", "mr-eva", "mr-dora"


@pytest.fixture(scope="module")
def dovecot() -> Iterator[Dovecot]:
    folder = Path(tempfile.mkdtemp(prefix="dovecot-"))  # short, and open to those who own mailboxes
    server = Dovecot(folder)
    with ExitStack() as stack:
        with suppress(NoDisk):  # then the test of a full one is skipped
            stack.enter_context(small_disk(folder / "mail", 64 * 1024))
        try:
            server.start()
        except Missing as missing:
            if os.environ.get("CI"):
                pytest.fail(str(missing), pytrace=False)
            pytest.skip(str(missing))
        yield server
        server.stop()
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def mail(
    streams: str,
    mongo: str,
    issuer: Issuer,
    tmp_path_factory: pytest.TempPathFactory,
    certificate: Path,
    dovecot: Dovecot,
) -> Iterator[Mail]:
    asyncio.run(publish_directory(streams))
    surroundings = Surroundings(streams, mongo, issuer, database_prefix=f"test_{uuid4().hex}_")
    made = mail_routing(tmp_path_factory.mktemp("mail"), surroundings, certificate)
    sink = f"127.0.0.1:{made.sink_port}"
    made.program.settings |= {
        "CONNECTORS": json.dumps(
            {
                "dovecot": {"servers": [f"127.0.0.1:{dovecot.lmtp}"], "protocol": "lmtp", "tls": "none"},
                "partner": {"servers": ["127.0.0.1:1", sink]},
            }
        ),
        "MAILBOX_HOPS": json.dumps({"mr-d": "connector:dovecot"}),
        "SPLIT_HOPS": json.dumps({"mr-b.test": sink}),
        "DUAL_HOPS": json.dumps({"mr-b.test": sink}),
        "ENTITY_HOPS": json.dumps({"mr-b": "connector:partner"}),
        "SMART_HOST": "mx",
        "DNS_SERVERS": json.dumps([f"127.0.0.1:{DNS_PORT}"]),
        "MX_PORT": str(made.sink_port),
    }
    made.program.start()
    yield made
    made.program.kill()
    shutil.rmtree(made.maildirs, ignore_errors=True)


def content(mark: bytes) -> bytes:
    return b"From: ana\r\nSubject: routes\r\nX-Mark: " + mark + b"\r\n\r\nol\xc3\xa1\r\n.\r\n..dots\r\n"


async def test_a_mailbox_in_dovecot_is_read_back_over_imap(mail: Mail, dovecot: Dovecot) -> None:
    mark = marker()
    await asyncio.to_thread(mail.send, "x@else.test", [address(DORA), "alias.mr-dora@mr-d.test"], content(mark))
    await until(lambda: dovecot.letters(address(DORA), mark))
    (letter,) = dovecot.letters(address(DORA), mark)
    assert letter.endswith(content(mark))
    assert b"Return-Path: <x@else.test>" in letter


async def test_a_full_dovecot_has_the_mail_once_there_is_room(mail: Mail, dovecot: Dovecot) -> None:
    disk = SmallDisk(dovecot.folder / "mail", 64 * 1024)
    if not disk.folder.is_mount():
        pytest.skip("this machine does not let us mount a small disk")
    before, mark = mail.program.metric(DEFERRED), marker()
    disk.fill()
    await asyncio.to_thread(mail.send, "x@else.test", [address(DORA)], content(mark))
    await until(lambda: mail.program.metric(DEFERRED) > before)
    disk.free()
    await until(lambda: not dovecot.letters(address(DORA), mark))
    await make_all_due(mail)
    await until(lambda: dovecot.letters(address(DORA), mark))
    (letter,) = dovecot.letters(address(DORA), mark)
    assert letter.endswith(content(mark))
    assert mail.program.metric(BOUNCED) == 0


async def test_mail_by_mx_goes_past_a_dead_server_to_the_one_that_answers(mail: Mail) -> None:
    mark, none = marker(), marker()
    async with DnsServer(DNS_PORT) as dns, sinking(mail.sink_port) as sink:
        dns.put("far.test", "MX", "10 dead.far.test.", "20 live.far.test.")
        dns.put("dead.far.test", "A", "127.0.0.98")
        dns.put("live.far.test", "A", "127.0.0.1")
        dns.put("null.test", "MX", "0 .")
        await asyncio.to_thread(mail.send, address(ANA), ["x@far.test"], content(mark), TRUSTED)
        await asyncio.to_thread(mail.send, address(ANA), ["x@null.test"], content(none), TRUSTED)
        await until(lambda: sink.with_marker(mark))
        report = await mail.letter(ANA, none)
    ((_, recipients, relayed),) = sink.with_marker(mark)
    assert recipients == ["x@far.test"]
    assert relayed.endswith(content(mark))
    assert b"Status: 5.1.10\r\n" in report


async def test_a_connector_of_the_senders_entity_takes_what_no_domain_decides(mail: Mail) -> None:
    mark = marker()
    async with sinking(mail.sink_port) as sink:
        await asyncio.to_thread(mail.send, address(EVA), ["x@other.test"], content(mark), TRUSTED)
        await until(lambda: sink.with_marker(mark))


async def test_split_delivery_sends_on_whom_we_do_not_know_and_dual_delivery_sends_a_copy(mail: Mail) -> None:
    mark = marker()
    async with sinking(mail.sink_port) as sink:
        sink.replies[address(EVA)] = Reply(550, "5.1.1", "the copy is refused, and nobody hears of it")
        to = [address(EVA), "only.there@mr-b.test", address("mr-nuno")]
        await asyncio.to_thread(mail.send, address(ANA), to, content(mark), TRUSTED)
        await until(lambda: sink.with_marker(mark))
        for person in (EVA, "mr-nuno"):
            assert await mail.letter(person, mark)
    ((_, recipients, _),) = sink.with_marker(mark)
    assert sorted(recipients) == [address("mr-nuno"), "only.there@mr-b.test"]
    assert not mail.letters(ANA, mark)


async def test_what_is_sent_on_is_kept_too_and_does_not_come_round(mail: Mail) -> None:
    mark = marker()
    async with sinking(mail.sink_port) as sink:
        await asyncio.to_thread(mail.send, "x@else.test", [address("mr-fred")], content(mark))
        for person in ("mr-fred", "mr-rui"):
            assert await mail.letter(person, mark)
        await until(lambda: len(sink.with_marker(mark)) == 2)  # what is sent on, and the copy of dual delivery
        relayed = next(text for _, to, text in sink.with_marker(mark) if to == ["fred@sink.test"])
        assert relayed.startswith(b"Delivered-To: mr-fred@mr-b.test\r\n")
        # The other side sends it back to where it came from.
        await asyncio.to_thread(mail.send, address(ANA), [address("mr-fred")], relayed, TRUSTED)
        report = await mail.letter(ANA, mark)
        await until(lambda: len(sink.with_marker(mark)) == 3)
    assert [to for _, to, _ in sink.with_marker(mark)].count(["fred@sink.test"]) == 1
    assert b"Status: 5.4.6" in report
    assert len(mail.letters("mr-fred", mark)) == len(mail.letters("mr-rui", mark)) == 1


async def test_a_shared_mailbox_has_the_mail_of_its_address(mail: Mail) -> None:
    mark = marker()
    await asyncio.to_thread(mail.send, "x@else.test", ["mr-desk+now@mr-a.test"], content(mark))
    box = mail.maildirs / "mr-a" / "group.mr-desk" / "new"
    await until(lambda: box.is_dir() and [path for path in box.iterdir() if mark in path.read_bytes()])
    assert not mail.letters(EVA, mark)


async def test_resolve_says_where_each_would_go(caller: As) -> None:
    ana = caller(ANA)
    wanted: dict[str, list[tuple[str, str | None]]] = {
        address(DORA): [("lmtp", "connector:dovecot")],
        "x@far.test": [("relay", "mx:far.test")],
        "only.there@mr-b.test": [("relay", None)],
        address(EVA): [("mailbox", "mr-b/mr-eva"), ("relay", None)],
    }
    for to, destinations in wanted.items():
        answer = await ana.Resolve(service_pb2.ResolveRequest(sender=address(ANA), recipient=to))
        assert [each.kind for each in answer.destinations] == [kind for kind, _ in destinations], to
        for each, (_, target) in zip(answer.destinations, destinations, strict=True):
            assert target in {None, each.target}
