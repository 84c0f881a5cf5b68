"""Mail handed in by people: TLS, AUTH with tokens and app passwords, in whose name, and how much."""

import asyncio
import base64
import json
import shutil
import smtplib
import ssl
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiosmtplib
import pytest
from cryptography import x509
from devstack.issuer import Issuer
from rossio.mail.v1 import access_pb2 as pb

from .asking import found, looks_after  # type: ignore[import-not-found]  # "mail-routing" is no module name
from .conftest import (  # type: ignore[import-not-found]
    As,
    Mail,
    address,
    make_certificate,
    marker,
    sinking,
    until,
)
from .programs import run_program  # type: ignore[import-not-found]

ANA, RUI, EVA, NUNO = "mr-ana", "mr-rui", "mr-eva", "mr-nuno"


def content(author: str, mark: bytes) -> bytes:
    return f"From: <{author}>\r\nSubject: handed in\r\nX-Mark: ".encode() + mark + b"\r\n\r\nhello\r\n"


def trusting(mail: Mail) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(mail.certificate))
    context.check_hostname = False
    return context


def connected(mail: Mail, *, implicit: bool = False) -> smtplib.SMTP:
    if implicit:
        host, port = mail.submissions
        return smtplib.SMTP_SSL(host, port, local_hostname="c.test", timeout=30, context=trusting(mail))
    host, port = mail.submission
    client = smtplib.SMTP(host, port, local_hostname="c.test", timeout=30)
    client.starttls(context=trusting(mail))
    return client


def with_token(client: smtplib.SMTP, token: str) -> tuple[int, bytes]:
    """OAUTHBEARER, which smtplib lacks."""
    client.ehlo_or_helo_if_needed()
    response = base64.b64encode(f"n,,\x01auth=Bearer {token}\x01\x01".encode()).decode()
    return client.docmd("AUTH", f"OAUTHBEARER {response}")


async def app_password(caller: As, person: str, name: str = "phone") -> tuple[str, str]:
    """Its id, and the password."""
    request = pb.CreateAppPasswordRequest(request_id=uuid4().hex, name=name)
    made = await caller(person).CreateAppPassword(request)
    return made.app_password.password_id, made.password


@pytest.mark.parametrize("implicit", [False, True])
async def test_a_person_hands_mail_in_with_a_token(mail: Mail, issuer: Issuer, implicit: bool) -> None:
    mark, token = marker(), issuer.token(ANA, entity="mr-a")
    async with sinking(mail.sink_port) as sink:

        def talk() -> None:
            with connected(mail, implicit=implicit) as client:
                client.ehlo()
                assert client.docmd("MAIL", f"FROM:<{address(ANA)}>")[0] == 530
                assert with_token(client, token)[0] == 235
                client.sendmail(address(ANA), [address(RUI), "far@sink.test"], content(address(ANA), mark))

        await asyncio.to_thread(talk)
        await until(lambda: sink.with_marker(mark))
    letter = await mail.letter(RUI, mark)
    assert b"Message-ID: <" in letter
    assert b"\r\n\tby mx.rossio.test with ESMTPSA id " in letter


async def test_a_token_that_does_not_count_opens_nothing(mail: Mail, issuer: Issuer) -> None:
    wrong = [
        issuer.token(ANA, entity="mr-a", audience="another"),
        issuer.token("stranger", entity="mr-a"),
        issuer.token(ANA, kind="citizen"),
        "no.token.atall",
    ]

    def talk() -> None:
        with connected(mail) as client:
            for token in wrong:
                assert with_token(client, token)[0] == 334
                assert client.docmd("AQ==")[0] == 535
            assert client.docmd("MAIL", f"FROM:<{address(ANA)}>")[0] == 530

    await asyncio.to_thread(talk)


async def test_an_app_password_works_until_it_is_taken_back(mail: Mail, caller: As, streams: str, refused: Any) -> None:
    password_id, password = await app_password(caller, ANA)
    mark = marker()

    def hand_in(secret: str) -> None:
        with connected(mail) as client:
            client.login(address(ANA), secret)
            client.sendmail(address(ANA), [address(RUI)], content(address(ANA), mark))

    await asyncio.to_thread(hand_in, password)
    assert await mail.letter(RUI, mark)
    with pytest.raises(smtplib.SMTPAuthenticationError):
        await asyncio.to_thread(hand_in, password[:-1] + ("a" if password[-1] != "a" else "b"))
    listed = await caller(ANA).ListAppPasswords(pb.ListAppPasswordsRequest(page_size=1000))
    assert password_id in [each.password_id for each in listed.app_passwords]
    assert password not in str(listed)
    revoke = pb.RevokeAppPasswordRequest(request_id=uuid4().hex, password_id=password_id)
    with refused("NOT_FOUND"):
        await caller(RUI).RevokeAppPassword(revoke)
    with refused("NOT_FOUND"):
        await caller("boss", entity="mr-b", roles=["mail.admin"]).RevokeAppPassword(revoke)
    await caller("boss", entity="mr-a", roles=["mail.admin"]).RevokeAppPassword(revoke)
    with pytest.raises(smtplib.SMTPAuthenticationError):
        await asyncio.to_thread(hand_in, password)
    told = await looks_after(streams, password_id, 2)
    assert [(each.actor, each.action) for each in told] == [
        (ANA, "mail.app_password.create"),
        ("boss", "mail.app_password.revoke"),
    ]


async def test_the_same_request_makes_one_app_password_and_pages_go_on(mail: Mail, caller: As) -> None:
    request = pb.CreateAppPasswordRequest(request_id=uuid4().hex, name="once")
    first, second = [await caller(NUNO).CreateAppPassword(request) for _ in range(2)]
    assert first.app_password.password_id == second.app_password.password_id
    other = (await app_password(caller, NUNO, "other"))[0]
    seen, token = list[str](), ""
    while True:
        page = await caller(NUNO).ListAppPasswords(pb.ListAppPasswordsRequest(page_size=1, page_token=token))
        seen += [each.password_id for each in page.app_passwords]
        token = page.next_page_token
        if not token:
            break
    assert sorted(seen) == sorted({first.app_password.password_id, other})


async def test_in_the_name_of_others_only_with_their_leave(mail: Mail, caller: As, refused: Any) -> None:
    _, password = await app_password(caller, RUI)

    def hand_in(author: str, mark: bytes) -> None:
        with connected(mail, implicit=True) as client:
            client.login(RUI, password)
            client.sendmail(author, [address(NUNO)], content(author, mark))

    async def grant(stub: Any, owner: str, right: pb.SendingRight.ValueType, to: str = address(RUI)) -> None:
        await stub.GrantDelegation(pb.GrantDelegationRequest(request_id=uuid4().hex, owner=owner, right=right, to=to))

    with pytest.raises(smtplib.SMTPDataError, match=r"5\.7\.1"):
        await asyncio.to_thread(hand_in, address(EVA), marker())
    with refused("NOT_FOUND"):
        await grant(caller(ANA), address(EVA), pb.SENDING_RIGHT_SEND_AS)
    await grant(caller(EVA), address(EVA), pb.SENDING_RIGHT_ON_BEHALF)
    await asyncio.to_thread(hand_in, address(EVA), behalf := marker())
    letter = await mail.letter(NUNO, behalf)
    assert f"Sender: <{address(RUI)}>\r\n".encode() in letter
    # To the group that Rui is in by nesting, by the administrators of the list's entity.
    boss = caller("boss", entity="mr-a", roles=["mail.admin"])
    await grant(boss, "mr-board@mr-a.test", pb.SENDING_RIGHT_SEND_AS, "mr-team@mr-a.test")
    await asyncio.to_thread(hand_in, "mr-board@mr-a.test", sent_as := marker())
    assert b"Sender:" not in await mail.letter(NUNO, sent_as)
    found = await caller(EVA).GetDelegations(pb.GetDelegationsRequest(owner=address(EVA)))
    assert [(each.person_id, each.right) for each in found.delegations] == [(RUI, pb.SENDING_RIGHT_ON_BEHALF)]
    revoke = pb.RevokeDelegationRequest(request_id=uuid4().hex, owner=address(EVA), to=address(RUI))
    await caller(EVA).RevokeDelegation(revoke)
    with pytest.raises(smtplib.SMTPDataError, match=r"5\.7\.1"):
        await asyncio.to_thread(hand_in, address(EVA), marker())


async def test_a_principal_may_address_so_many_in_a_minute(mail: Mail, issuer: Issuer) -> None:
    token = issuer.token("mr-c7", entity="mr-c")  # 50 in the settings of these tests

    def talk() -> list[int]:
        with connected(mail) as client:
            assert with_token(client, token)[0] == 235
            client.docmd("MAIL", "FROM:<mr-c7@mr-c.test>")
            return [client.docmd("RCPT", f"TO:<mr-c{n}@mr-c.test>")[0] for n in range(60)]

    codes = await asyncio.to_thread(talk)
    assert codes[:50] == [250] * 50
    assert 450 in codes[50:]


async def test_dsn_parameters_go_with_the_mail(mail: Mail, caller: As) -> None:
    mark = marker()
    client = mail.client()
    client.ehlo()
    assert client.has_extn("dsn")
    client.mail("x@else.test", ["RET=HDRS", "ENVID=e1"])
    client.rcpt(address(ANA), ["NOTIFY=NEVER", "ORCPT=rfc822;first@else.test"])
    message_id = client.data(content("x@else.test", mark))[1].decode().rpartition(" ")[2]
    client.quit()
    (traced,) = await found(caller(ANA), message_id)
    assert [outcome.original for outcome in traced.outcomes] == ["first@else.test"]


async def test_a_renewed_certificate_holds_for_the_next_connection(mail: Mail) -> None:
    unverified = ssl.create_default_context()
    unverified.check_hostname, unverified.verify_mode = False, ssl.CERT_NONE

    def shown() -> int:
        host, port = mail.submissions
        with smtplib.SMTP_SSL(host, port, timeout=30, context=unverified) as client:
            assert isinstance(client.sock, ssl.SSLSocket)
            presented = client.sock.getpeercert(binary_form=True)
            assert presented is not None
            return x509.load_der_x509_certificate(presented).serial_number

    before = await asyncio.to_thread(shown)
    with connected(mail, implicit=True) as lasting:
        replace_certificate(mail.certificate, b"no certificate")
        assert await asyncio.to_thread(shown) == before  # what cannot be read changes nothing
        make_certificate(mail.certificate.parent, before + 1)
        assert await asyncio.to_thread(shown) == before + 1
        assert lasting.noop()[0] == 250


def replace_certificate(path: Path, octets: bytes) -> None:
    fresh = path.with_suffix(".new")
    fresh.write_bytes(octets)
    fresh.replace(path)


# Clients that others wrote.


async def test_aiosmtplib(mail: Mail, caller: As) -> None:
    _, password = await app_password(caller, ANA)
    mark = marker()
    host, port = mail.submission
    client = aiosmtplib.SMTP(hostname=host, port=port, start_tls=True, tls_context=trusting(mail))
    async with client:
        await client.login(address(ANA), password)
        await client.sendmail(address(ANA), [address(RUI)], content(address(ANA), mark))
    assert await mail.letter(RUI, mark)


async def test_swaks_authenticates(mail: Mail, caller: As) -> None:
    _, password = await app_password(caller, ANA)
    mark = marker().decode()
    host, port = mail.submissions
    who = ["--auth", "PLAIN", "--auth-user", address(ANA), "--auth-password", password]
    to = ["--server", f"{host}:{port}", "--tlsc", "--from", address(ANA), "--to", address(EVA)]
    await run_program("swaks", *to, *who, "--header", f"X-Mark: {mark}")
    assert await mail.letter(EVA, mark.encode())


NODEMAILER = """
const { createTransport } = require('nodemailer');
const [host, port, user, pass, to, mark] = process.argv.slice(2);
const transport = createTransport({
  host, port: Number(port), secure: true, auth: { user, pass }, tls: { rejectUnauthorized: false },
});
transport.sendMail({ from: user, to, subject: 'Olá', text: 'linha\\n.\\n..\\n', headers: { 'X-Mark': mark },
  dsn: { id: 'n1', return: 'headers', notify: ['failure', 'delay'], recipient: to } })
  .then(() => transport.close(), (error) => { console.error(error); process.exit(1); });
"""


async def test_nodemailer(mail: Mail, caller: As, nodemailer: Callable[[str], Path]) -> None:
    _, password = await app_password(caller, ANA)
    mark = marker().decode()
    host, port = mail.submissions
    arguments = (host, str(port), address(ANA), password, address(EVA), mark)
    await run_program("node", str(nodemailer(NODEMAILER)), *arguments)
    assert b"X-Mark: " + mark.encode() in await mail.letter(EVA, mark.encode())


@pytest.fixture(scope="session")
def nodemailer(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Where a script that uses nodemailer is put; skips where npm cannot bring it."""
    folder = tmp_path_factory.mktemp("nodemailer")
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed")
    (folder / "package.json").write_text(json.dumps({"private": True, "dependencies": {"nodemailer": "7.0.10"}}))
    command = ["npm", "install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts"]
    if subprocess.run(command, cwd=folder, timeout=120, capture_output=True, check=False).returncode:
        pytest.skip("nodemailer cannot be had")

    def script(text: str) -> Path:
        path = folder / "script.js"
        path.write_text(text)
        return path

    return script
