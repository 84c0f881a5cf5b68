"""Who takes a mail: exchangers by a DNS that we run, connectors with TLS and credentials, LMTP."""

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from mail_routing.adapters.hops import Authority, Connector, Hops, Security, Server
from mail_routing.adapters.mx import MailExchangers, NoWay, resolver
from mail_routing.adapters.smtp_client import Patience, SmtpClient
from mail_routing.domain.delivery import Result, State
from mail_routing.domain.message import Message, MessageClass, Origin
from mail_routing.domain.route import Destination, Kind
from testkit.dns_server import DnsServer

OURS = "mx.rossio.test"
CONTENT = b"Subject: x\r\n\r\n.dot\r\n"


def backwards(hosts: Sequence[str]) -> list[str]:
    """A shuffle whose outcome is known."""
    return sorted(hosts, reverse=True)


@pytest.fixture
async def dns() -> AsyncIterator[DnsServer]:
    async with DnsServer() as server:
        yield server


@pytest.fixture
def exchangers(dns: DnsServer) -> MailExchangers:
    return MailExchangers(resolver([dns.address]), OURS, shuffle=backwards)


async def test_exchangers_by_preference_equal_ones_shuffled_and_kept_as_long_as_the_dns_says(
    dns: DnsServer, exchangers: MailExchangers
) -> None:
    dns.put("far.test", "MX", "20 last.far.test.", "10 a.far.test.", "10 b.far.test.")
    for number, host in enumerate(("a", "b", "last"), 1):
        dns.put(f"{host}.far.test", "A", f"127.0.0.{number}")
    dns.put("a.far.test", "AAAA", "::1")
    wanted = [
        ("b.far.test", "127.0.0.2"),
        ("a.far.test", "::1"),
        ("a.far.test", "127.0.0.1"),
        ("last.far.test", "127.0.0.3"),
    ]
    for _ in range(3):
        assert await exchangers.of("far.test") == wanted
    assert set(dns.asked.values()) == {1}


async def test_a_domain_without_exchangers_is_its_own(dns: DnsServer, exchangers: MailExchangers) -> None:
    dns.put("plain.test", "A", "127.0.0.9")
    assert await exchangers.of("plain.test") == [("plain.test", "127.0.0.9")]
    assert await exchangers.of("[127.0.0.3]") == [("127.0.0.3", "127.0.0.3")]


async def test_what_the_dns_says_for_good_and_for_now(dns: DnsServer, exchangers: MailExchangers) -> None:
    dns.put("null.test", "MX", "0 .")
    dns.put("loop.test", "MX", f"10 {OURS}.", "20 other.test.")
    dns.put("bare.test", "MX", "10 nowhere.test.")
    dns.broken |= {"broken.test"}
    wanted = {
        "null.test": (State.BOUNCED, "5.1.10"),
        "unknown.test": (State.BOUNCED, "5.1.2"),
        "loop.test": (State.BOUNCED, "5.4.6"),
        "bare.test": (State.BOUNCED, "5.4.4"),
        "broken.test": (State.DEFERRED, "4.4.3"),
        f"{'x' * 70}.test": (State.BOUNCED, "5.1.2"),
    }
    for domain, (state, status) in wanted.items():
        with pytest.raises(NoWay) as nowhere:
            await exchangers.of(domain)
        assert (nowhere.value.result.state, nowhere.value.result.status) == (state, status), domain


async def test_exchangers_that_are_better_than_ourselves_are_used(dns: DnsServer, exchangers: MailExchangers) -> None:
    dns.put("backup.test", "MX", "10 main.test.", f"20 {OURS}.", "30 worse.test.")
    dns.put("main.test", "A", "127.0.0.4")
    assert await exchangers.of("backup.test") == [("main.test", "127.0.0.4")]


def certificate(folder: Path, name: str) -> Path:
    """Self-signed, its key beside it in one PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path = folder / f"{name}.pem"
    path.write_bytes(signed.public_bytes(serialization.Encoding.PEM) + key.private_bytes(*form))
    return path


class Hop:
    """An SMTP or LMTP server as strict as it is small: STARTTLS, AUTH PLAIN over it, a reply a recipient for LMTP."""

    def __init__(
        self,
        pem: Path | None = None,
        *,
        lmtp: bool = False,
        name: str = "hop.test",
        injected: bytes = b"",
        broken: bool = False,
    ) -> None:
        self.injected = injected
        self.broken = broken  # it offers TLS, and does not speak it
        self.name = name
        self.lmtp = lmtp
        self.heard: list[str] = []
        self.mails: list[tuple[bool, bytes]] = []
        self.tls = None
        if pem:
            self.tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            self.tls.load_cert_chain(pem)

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(f"220 {self.name} ready\r\n".encode())
        taken: list[str] = []
        try:
            while line := (await reader.readline()).decode().strip():
                self.heard.append(line)
                verb = line.split()[0].upper()
                secure = writer.get_extra_info("ssl_object") is not None
                if verb == "STARTTLS" and self.broken:
                    writer.write(b"220 go\r\n")
                    await reader.readexactly(5)
                    writer.write(b"what?\r\n")
                    break
                if verb == "STARTTLS":
                    writer.write(b"220 go\r\n" + self.injected)
                    assert self.tls is not None
                    await writer.start_tls(self.tls)
                elif verb == "DATA":
                    writer.write(b"354 go\r\n")
                    content = await reader.readuntil(b"\r\n.\r\n")
                    self.mails.append((secure, content))
                    replies = [f"{550 if 'full' in to else 250} {to}" for to in taken] if self.lmtp else ["250 kept"]
                    taken = []
                    writer.write("".join(f"{reply}\r\n" for reply in replies).encode())
                elif verb == "AUTH":
                    right = base64.b64decode(line.split()[2]) == b"\0ministry\0s3cret"
                    writer.write(b"235 in\r\n" if right else b"535 5.7.8 no\r\n")
                elif verb in {"EHLO", "LHLO"}:
                    more = "250-AUTH PLAIN\r\n" if secure else "250-STARTTLS\r\n" if self.tls or self.broken else ""
                    writer.write(f"250-{self.name}\r\n250-DSN\r\n{more}250 PIPELINING\r\n".encode())
                else:
                    if verb == "RCPT":
                        taken.append(line.split()[1])
                    writer.write(b"250 ok\r\n")
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[int]:
        server = await asyncio.start_server(self.talk, "127.0.0.1", 0)
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            server.close()


def message(**more: object) -> Message:
    at = datetime(2026, 11, 23, tzinfo=UTC)
    return Message("m", "", "ana@a.test", (), b"", 0, MessageClass.NORMAL, at, Origin.GRPC, **more)  # type: ignore[arg-type]


async def send(hops: Hops, hop: str, mail: Message, *to: Destination) -> dict[str, Result]:
    client = SmtpClient(OURS, hops, patience=Patience(connect=20.0))
    to = to or (Destination(Kind.RELAY, "x@far.test", hop, "x@far.test"),)
    results = await client.send(hop, mail, to, CONTENT)
    await client.stop()
    return {destination.address: result for destination, result in results.items()}


def connector(port: int, **more: object) -> Hops:
    server = Server("hop.test", "127.0.0.1", port)
    return Hops({"c": Connector((server,), **more)})  # type: ignore[arg-type]


async def test_tls_is_used_where_it_is_offered_whoever_signed_for_it(tmp_path: Path) -> None:
    hop = Hop(certificate(tmp_path, "other.test"))
    async with hop.listening() as port:
        results = await send(connector(port), "connector:c", message())
    assert results["x@far.test"].state is State.DELIVERED
    assert results["x@far.test"].remote == "hop.test"
    assert [secure for secure, _ in hop.mails] == [True]
    assert [line for line in hop.heard if line.startswith("EHLO")] == [f"EHLO {OURS}"] * 2


@pytest.mark.parametrize("security", [Security.OPPORTUNISTIC, Security.REQUIRED])
async def test_where_tls_that_is_offered_does_not_work_mail_goes_without_unless_it_must_not(security: Security) -> None:
    hop = Hop(broken=True)
    async with hop.listening() as port:
        results = await send(connector(port, security=security), "connector:c", message())
    in_clear = security is Security.OPPORTUNISTIC
    assert results["x@far.test"].state is (State.DELIVERED if in_clear else State.DEFERRED)
    assert [secure for secure, _ in hop.mails] == ([False] if in_clear else [])


async def test_what_is_slipped_in_before_tls_ends_the_connection(tmp_path: Path) -> None:
    hop = Hop(certificate(tmp_path, "hop.test"), injected=b"250-hop\r\n250 AUTH PLAIN\r\n")
    async with hop.listening() as port:
        results = await send(connector(port), "connector:c", message())
    assert results["x@far.test"].state is State.DEFERRED
    assert "before TLS" in results["x@far.test"].reply
    assert not hop.mails


async def test_where_tls_is_required_the_name_is_verified_and_clear_is_refused(tmp_path: Path) -> None:
    wrong, right = certificate(tmp_path, "other.test"), certificate(tmp_path, "hop.test")
    for pem, authority in ((None, right), (wrong, wrong), (right, wrong)):
        hop = Hop(pem)
        async with hop.listening() as port:
            hops = connector(port, security=Security.REQUIRED, authorities_file=authority)
            results = await send(hops, "connector:c", message())
        assert (results["x@far.test"].state, results["x@far.test"].status) == (State.DEFERRED, "4.4.1"), pem
        assert not hop.mails
    hop = Hop(right)
    async with hop.listening() as port:
        # The mail asks for it, though the connector would go without.
        results = await send(connector(port, authorities_file=right), "connector:c", message(require_tls=True))
    assert results["x@far.test"].state is State.DELIVERED


@pytest.mark.parametrize(("password", "state"), [("s3cret\n", State.DELIVERED), ("wrong", State.DEFERRED)])
async def test_a_connector_says_who_we_are(tmp_path: Path, password: str, state: State) -> None:
    (tmp_path / "password").write_text(password)
    pem = certificate(tmp_path, "hop.test")
    hop = Hop(pem)
    authority = Authority("ministry", tmp_path / "password")
    async with hop.listening() as port:
        hops = connector(port, security=Security.REQUIRED, authorities_file=pem, authority=authority)
        results = await send(hops, "connector:c", message())
    assert results["x@far.test"].state is state
    assert bool(hop.mails) is (state is State.DELIVERED)


async def test_lmtp_answers_for_each_recipient() -> None:
    hop = Hop(lmtp=True)
    to = [Destination(Kind.LMTP, address, "connector:c", address) for address in ("a@b.test", "full@b.test")]
    async with hop.listening() as port:
        results = await send(connector(port, lmtp=True), "connector:c", message(), *to)
    assert hop.heard[0] == f"LHLO {OURS}"
    assert [(result.state, result.reply) for result in results.values()] == [
        (State.DELIVERED, "250 TO:<a@b.test>"),
        (State.BOUNCED, "550 TO:<full@b.test>"),
    ]


async def test_what_the_sender_asked_to_hear_is_passed_on() -> None:
    hop = Hop()
    to = Destination(Kind.RELAY, "x@far.test", "connector:c", "list+a=b@a.test", notify=("SUCCESS", "DELAY"))
    async with hop.listening() as port:
        results = await send(connector(port), "connector:c", message(envelope_id="a b", dsn_return="HDRS"), to)
    assert results["x@far.test"].informed
    assert "MAIL FROM:<ana@a.test> RET=HDRS ENVID=a+20b" in hop.heard
    assert "RCPT TO:<x@far.test> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;list+2Ba+3Db@a.test" in hop.heard


async def test_by_mx_the_next_server_takes_what_the_first_does_not_answer_and_ourselves_are_noticed(
    dns: DnsServer, exchangers: MailExchangers
) -> None:
    hop = Hop()
    async with hop.listening() as port:
        dns.put("far.test", "MX", "10 dead.far.test.", "20 live.far.test.")
        dns.put("dead.far.test", "A", "127.0.0.99")  # nothing listens there
        dns.put("live.far.test", "A", "127.0.0.1")
        hops = Hops(exchangers=exchangers, mx_port=port)
        results = await send(hops, "mx:far.test", message())
        assert (results["x@far.test"].state, results["x@far.test"].remote) == (State.DELIVERED, "live.far.test")
    loop = Hop(name=OURS)
    async with loop.listening() as port:
        results = await send(Hops(exchangers=exchangers, mx_port=port), "mx:far.test", message())
        assert (results["x@far.test"].state, results["x@far.test"].status) == (State.BOUNCED, "5.4.6")


async def test_a_site_that_is_slow_or_away_holds_up_nobody() -> None:
    silent: set[asyncio.StreamWriter] = set()
    listener = await asyncio.start_server(lambda _, writer: silent.add(writer), "127.0.0.1", 0)
    slow = f"127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    client = SmtpClient(OURS, patience=Patience(connect=3600.0, turn=3600.0))
    hanging = [asyncio.create_task(_one(client, slow, n)) for n in range(30)]
    while len(silent) < 10:  # all connections of the site
        await asyncio.sleep(0.01)
    for n in range(1000):
        result = await _one(client, slow, 100 + n)
        assert (result.state, result.status) == (State.DEFERRED, "4.4.5")
    hop = Hop()
    async with hop.listening() as port:
        assert (await _one(client, f"127.0.0.1:{port}", 1)).state is State.DELIVERED
    for task in hanging:
        task.cancel()
    await asyncio.gather(*hanging, return_exceptions=True)
    await client.stop()
    listener.close()
    for writer in silent:
        writer.close()


async def _one(client: SmtpClient, hop: str, number: int) -> Result:
    to = Destination(Kind.RELAY, f"x{number}@far.test", hop)
    return (await client.send(hop, message(), [to], CONTENT))[to]
