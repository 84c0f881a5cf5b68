"""Mail by SMTP, from clients that others wrote, to Maildirs and to the next hop."""

import asyncio
import re
import smtplib
import socket
import ssl
from pathlib import Path

import pytest
from mail_routing.entrypoints.smtp.grammar import Reply

from .conftest import (  # type: ignore[import-not-found]  # "mail-routing" is no module name
    CROWD,
    HOSTNAME,
    TRUSTED,
    Mail,
    address,
    marker,
    sinking,
    until,
)
from .programs import lacking, run_program  # type: ignore[import-not-found]

ANA, RUI, EVA = "mr-ana", "mr-rui", "mr-eva"


def content(mark: bytes, subject: str = "test") -> bytes:
    return f"From: ana\r\nSubject: {subject}\r\nX-Mark: ".encode() + mark + b"\r\n\r\nhello\r\n.\r\n..dots\r\n"


async def test_a_mail_is_in_the_mailbox_with_our_fields_before_its_own_bytes(mail: Mail) -> None:
    mark = marker()
    mail.send("someone@else.test", [address(RUI)], content(mark))
    letter = await mail.letter(RUI, mark)
    assert letter.endswith(content(mark))
    added = letter.removesuffix(content(mark)).decode()
    assert re.fullmatch(
        r"Return-Path: <someone@else\.test>\r\nDelivered-To: mr-rui@mr-a\.test\r\n"
        r"Received: from client\.test \(\[127\.0\.0\.1\]\)\r\n\tby mx\.rossio\.test with ESMTP id [0-9a-f-]{36}\r\n"
        r"\tfor <mr-rui@mr-a\.test>\r\n\t\(traceparent=00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]\);\r\n\t.*\+0000\r\n",
        added,
    )


async def test_a_nested_cyclic_list_an_alias_and_a_tag_reach_each_mailbox_once(mail: Mail) -> None:
    mark = marker()
    mail.send("x@else.test", ["mr-team@mr-a.test", "alias.mr-rui@mr-a.test", "mr-eva+tag@mr-b.test"], content(mark))
    for person in (RUI, EVA):
        assert await mail.letter(person, mark)
    assert not mail.letters(ANA, mark)


async def test_a_list_of_more_than_a_thousand_reaches_all(mail: Mail) -> None:
    mark = marker()
    mail.send("x@else.test", ["everybody@mr-c.test"], content(mark))
    everybody = [f"mr-c{n}" for n in range(CROWD)]
    await until(lambda: all((mail.maildirs / "mr-c" / one / "new").is_dir() for one in everybody), 120)
    await until(lambda: all(len(mail.letters(one, mark)) == 1 for one in everybody), 120)


REFUSED = [
    ("nobody@mr-a.test", 550, "5.1.1"),
    ("somebody@elsewhere.test", 550, "5.7.1"),
    ("mr-board@mr-a.test", 550, "5.7.1"),
]


@pytest.mark.parametrize(("to", "code", "status"), REFUSED)
def test_a_wrong_recipient_is_refused_in_the_dialogue(mail: Mail, to: str, code: int, status: str) -> None:
    with pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
        mail.send(address(EVA), [to], b"Subject: x\r\n\r\n")
    assert refused.value.recipients[to][0] == code
    assert refused.value.recipients[to][1].startswith(status.encode())


async def test_the_senders_of_a_restricted_list_may_send_from_a_trusted_network(mail: Mail) -> None:
    mark = marker()
    mail.send(address(EVA), ["mr-board@mr-a.test"], content(mark), TRUSTED)
    assert await mail.letter(EVA, mark)


def test_oversize_is_refused_before_the_body_where_size_was_given(mail: Mail) -> None:
    client = mail.client()
    client.ehlo()
    assert int(client.esmtp_features["size"]) == 35 * 1024 * 1024
    assert client.docmd("MAIL", "FROM:<a@else.test> SIZE=36700161")[0] == 552
    assert client.docmd("MAIL", "FROM:<a@else.test> SIZE=36700160")[0] == 250
    client.quit()


@pytest.mark.parametrize("bad", [b"a\rb", b"a\nb", b"a\0b"], ids=["CR", "LF", "NUL"])
def test_bare_line_ends_are_refused(mail: Mail, bad: bytes) -> None:
    client = mail.client()
    client.ehlo()
    client.docmd("MAIL", "FROM:<a@else.test>")
    client.docmd("RCPT", f"TO:<{address(ANA)}>")
    client.docmd("DATA")
    client.send(b"Subject: x\r\n\r\n" + bad + b"\r\n.\r\n")
    assert client.getreply()[0] == 550
    client.quit()


async def test_starttls_with_a_real_handshake_and_a_mail_over_it(mail: Mail) -> None:
    mark = marker()
    context = ssl.create_default_context(cafile=str(mail.certificate))
    context.check_hostname = False

    def talk() -> None:
        client = mail.client()
        client.starttls(context=context)
        client.ehlo()
        assert "starttls" not in client.esmtp_features
        client.sendmail("a@else.test", [address(ANA)], content(mark))
        client.quit()

    await asyncio.to_thread(talk)
    assert b"\r\n\tby mx.rossio.test with ESMTPS id " in await mail.letter(ANA, mark)


def test_what_is_slipped_in_before_tls_is_forgotten(mail: Mail) -> None:
    context = ssl.create_default_context(cafile=str(mail.certificate))
    context.check_hostname = False
    with socket.create_connection(mail.smtp, timeout=30) as plain:
        plain.recv(1000)
        plain.sendall(b"EHLO c.test\r\n")
        plain.recv(1000)
        plain.sendall(b"STARTTLS\r\nEHLO evil.test\r\nMAIL FROM:<evil@else.test>\r\n")
        assert plain.recv(1000) == b"220 2.0.0 Go ahead\r\n"
        with context.wrap_socket(plain) as secure:
            secure.sendall(b"EHLO c.test\r\nMAIL FROM:<x@else.test>\r\nQUIT\r\n")
            told = b"".join(iter(lambda: secure.recv(1000), b""))
    assert [line[:3] for line in told.splitlines() if line[3:4] == b" "] == [b"250", b"250", b"221"]


async def test_a_large_mail_comes_back_byte_for_byte(mail: Mail) -> None:
    mark = marker()
    large = content(mark) + b"".join(b"%d %s\r\n" % (n, b"x" * 70) for n in range(100_000))
    mail.send("a@else.test", [address(ANA)], large)
    assert (await mail.letter(ANA, mark)).endswith(large)


async def test_relay_and_its_bounce(mail: Mail) -> None:
    mark = marker()
    async with sinking(mail.sink_port) as sink:
        sink.replies["no@sink.test"] = Reply(550, "5.1.1", "nobody here")
        to = ["Yes@sink.test", "no@sink.test"]
        await asyncio.to_thread(mail.send, address(ANA), to, content(mark, "to the sink"), TRUSTED)
        await until(lambda: sink.with_marker(mark))
        report = await mail.letter(ANA, b"X-Mark: " + mark)
    ((sender, recipients, relayed),) = sink.with_marker(mark)
    assert (sender, recipients) == (address(ANA), ["Yes@sink.test"])
    assert content(mark) in relayed or relayed.endswith(content(mark, "to the sink"))
    assert relayed.startswith(b"Received: from client.test")
    for part in (
        b"Return-Path: <>\r\n",
        b"From: MAILER-DAEMON@mx.rossio.test\r\n",
        b"Final-Recipient: rfc822; no@sink.test\r\nAction: failed\r\nStatus: 5.1.1\r\n",
        b"Diagnostic-Code: smtp; 550 5.1.1 nobody here\r\n",
        b"Subject: to the sink\r\n",
    ):
        assert part in report


async def test_null_sender_gets_no_bounce_and_nothing_is_said_twice(mail: Mail) -> None:
    mark = marker()
    async with sinking(mail.sink_port) as sink:
        sink.replies["no@sink.test"] = Reply(550, "5.1.1", "nobody here")
        to = ["yes@sink.test", "no@sink.test"]
        await asyncio.to_thread(mail.send, "", to, content(mark), TRUSTED)
        await until(lambda: sink.with_marker(mark))
    assert len(sink.with_marker(mark)) == 1


REAL = sorted(Path("/usr/lib/python3.11/test/test_email/data").glob("msg_*.txt"))
NO_HEADER = {"msg_19", "msg_25", "msg_35", "msg_43"}


async def test_the_real_and_hostile_messages_of_pythons_own_tests(mail: Mail) -> None:
    if not REAL:
        lacking("libpython3.11-testsuite")
    marks = {path: marker() for path in REAL}
    refused = set()
    with mail.client() as client:
        for path, mark in marks.items():
            lines = path.read_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
            original = b"X-Mark: " + mark + b"\r\n" + lines if path.stem not in NO_HEADER else lines
            try:
                client.sendmail("real@else.test", [address(EVA)], original)
            except smtplib.SMTPDataError as refusal:
                refused.add((path.stem, refusal.smtp_code, refusal.smtp_error[:5]))
    assert refused == {(name, 554, b"5.6.0") for name in NO_HEADER}
    for path, mark in marks.items():
        if path.stem not in NO_HEADER:
            lines = path.read_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
            if not lines.endswith(b"\r\n"):
                lines += b"\r\n"
            assert (await mail.letter(EVA, mark)).endswith(mark + b"\r\n" + lines), path


async def test_swaks_over_tls_with_pipelining(mail: Mail) -> None:
    mark = marker().decode()
    host, port = mail.smtp
    to = ",".join((address(ANA), address(RUI)))
    arguments = ["--server", f"{host}:{port}", "--from", "swaks@else.test", "--to", to, "--pipeline", "--tls"]
    output = await run_program("swaks", *arguments, "--header", f"X-Mark: {mark}", "--body", "from swaks")
    assert f"220 {HOSTNAME} ESMTP" in output
    for person in (ANA, RUI):
        assert b"from swaks" in await mail.letter(person, mark.encode())


async def test_smtp_source_of_postfix_with_many_sessions(mail: Mail) -> None:
    host, port = mail.smtp
    mark = marker().decode()[:12]
    arguments = ["-s", "10", "-m", "200", "-l", "2048", "-f", f"{mark}@else.test", "-t", address("mr-nuno")]
    await run_program("smtp-source", *arguments, f"inet:{host}:{port}")
    sender = f"Return-Path: <{mark}@else.test>".encode()
    await until(lambda: len(mail.letters("mr-nuno", sender)) >= 200)
    assert len(mail.letters("mr-nuno", sender)) == 200
