"""mail-routing beside Postfix: smtp-source in, smtp-sink out, the same cores, interleaved rounds, medians.

Both take each mail durably and relay it to one smtp-sink. Ours runs as two processes (`smtp`; `worker` and
`retry`) on the real Kafka and `secantusd-rs` where that is on the PATH, else the embedded store (beside it the first
load is measured on that, too), and resolves, records and publishes what became of each
recipient besides. CPU is what the processes themselves say they used; rates are of a machine that others share.
"""

import asyncio
import os
import shutil
import smtplib
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any, Protocol, Self

import messaging
from devstack.issuer import Issuer
from devstack.kafka import Kafka
from devstack.mongo import Mongo
from devstack.program import LOOPBACK, Program, free_port, listens
from devstack.services import SERVICES, ServiceProgram, Surroundings
from google.protobuf.message import Message
from rossio.directory.v1 import directory_pb2, events_pb2

Row = dict[str, Any]
SESSIONS = 20
ROUNDS = 7
HALF_LOAD_SECONDS = 15.0
EVERYBODY = "everybody@crowd.test"
_TICK = os.sysconf("SC_CLK_TCK")
_SBIN = f"{os.environ['PATH']}:/usr/sbin"


@dataclass(frozen=True)
class Shape:
    """One kind of load."""

    name: str
    octets: int
    mails: int
    recipients: int = 1
    aim: float = 1.0


SHAPES = (
    Shape("1 KB", 1024, 1000, aim=2.0),
    Shape("50 KB", 50 * 1024, 300, aim=1.0),
    Shape("10 recipients", 1024, 300, recipients=10, aim=3.0),
)

HASTY = "in_flow_delay = 0\n"
"""As Debian ships it, Postfix sleeps before it takes a mail while more comes in than goes out. It does so with ten
recipients a mail; that is measured both ways."""


class Server(Protocol):
    """One of the two."""

    port: int

    def cpu(self) -> dict[str, float]:
        """CPU seconds used so far, by part."""
        ...


class Sink(Program):
    """smtp-sink, which ends when it has had so many mails."""

    def __init__(self, folder: Path, port: int, mails: int) -> None:
        super().__init__("sink", folder)
        self._port, self._mails = port, mails

    def command(self) -> list[str | Path]:
        return [_found("smtp-sink"), "-M", str(self._mails), "-u", "nobody", f"{LOOPBACK}:{self._port}", "1000"]

    def ready(self) -> bool:
        return listens(self._port)


@dataclass
class Postfix:
    """An instance of its own: relays everything to the sink."""

    folder: Path
    sink: int
    settings: str = ""
    port: int = field(default_factory=free_port)

    def __enter__(self) -> Self:
        for name in ("etc", "queue", "data"):
            (self.folder / name).mkdir(parents=True)
        self.folder.chmod(0o755)
        shutil.chown(self.folder / "data", "postfix")
        (self.folder / "etc" / "main.cf").write_text(
            f"compatibility_level = 3.6\nqueue_directory = {self.folder}/queue\ndata_directory = {self.folder}/data\n"
            f"myhostname = postfix.test\nmydestination =\nmynetworks = 127.0.0.0/8\ninet_protocols = ipv4\n"
            f"inet_interfaces = 127.0.0.1\nrelayhost = [127.0.0.1]:{self.sink}\n"
            f"smtp_dns_support_level = disabled\nsmtp_host_lookup = native\n"
            f"maillog_file_prefixes = {self.folder}\nmaillog_file = {self.folder}/log\n"
            f"smtpd_client_connection_count_limit = 0\nmessage_size_limit = 36700160\n{self.settings}"
        )
        shutil.copy("/usr/share/postfix/master.cf.dist", self.folder / "etc" / "master.cf")
        master = self.folder / "etc" / "master.cf"
        lines = master.read_text().replace("\nsmtp      inet", f"\n{LOOPBACK}:{self.port} inet").splitlines()
        # Without the chroots of the distribution, whose files this instance has not.
        master.write_text("\n".join(_unchrooted(line) for line in lines) + "\n")
        self._postfix("start")
        _until(lambda: listens(self.port))
        return self

    def __exit__(self, *_: object) -> None:
        self._postfix("stop")

    def _postfix(self, verb: str) -> None:
        command = [_found("postfix"), "-c", str(self.folder / "etc"), verb]
        subprocess.run(command, check=True, capture_output=True)

    def cpu(self) -> dict[str, float]:
        master = int((self.folder / "queue" / "pid" / "master.pid").read_text())
        return {"postfix": _tree_cpu(master)}


@dataclass
class Ours:
    """mail-routing, its broker and its store."""

    folder: Path
    sink: int
    default_store: bool = False
    crowd: int = 0
    """People besides, all of them in the list everybody@crowd.test."""
    stack: ExitStack = field(default_factory=ExitStack)

    def __enter__(self) -> Self:
        self.kafka = Kafka(self.folder / "kafka")
        self.mongo = Mongo(self.folder / "mongo", default=self.default_store)
        for server in (self.kafka, self.mongo):
            server.start()
            self.stack.callback(server.kill)
        asyncio.run(_prepare(self.kafka.bootstrap, self.crowd))
        surroundings = Surroundings(self.kafka.bootstrap, self.mongo.uri, Issuer(self.folder / "issuer"))
        (kind,) = (service for service in SERVICES if service.name == "mail-routing")
        told = {
            "TRUSTED_NETWORKS": '["127.0.0.0/8"]',
            "NEXT_HOPS": f'{{"sink.test": "{LOOPBACK}:{self.sink}", "dead.test": "{LOOPBACK}:1"}}',
            "SMTP_HOSTNAME": "ours.test",
            "SMTP_MAX_MAILS_A_CONNECTION": "1000000",
        }
        self.edge, self.worker = (
            ServiceProgram(kind, self.folder / name, surroundings, settings={**told, "ROLES": roles})
            for name, roles in (("edge", "smtp"), ("worker", "worker,retry"))
        )
        for program in (self.edge, self.worker):
            program.start()
            self.stack.callback(program.stop)
        self.port = int(self.edge.addresses["SMTP_ADDRESS"].rpartition(":")[2])
        return self

    def __exit__(self, *_: object) -> None:
        self.stack.close()

    def cpu(self) -> dict[str, float]:
        parts = {"edge": self.edge, "worker": self.worker, "kafka": self.kafka, "store": self.mongo}
        return {name: _tree_cpu(program.pid or 0) for name, program in parts.items()}

    @property
    def mailbox(self) -> Path:
        return self.worker.folder / "data" / "maildirs" / "e" / "p" / "new"


async def _prepare(bootstrap: str, crowd: int) -> None:
    await messaging.ensure_topics(bootstrap)
    producer = messaging.Producer(messaging.Kafka(bootstrap))
    await producer.start()
    now = datetime.now(UTC)
    changes = _directory(crowd)
    while some := list(islice(changes, 1000)):
        await producer.publish([messaging.fact(change, id=messaging.new_id(), at=now) for change in some])
    await producer.stop()


def _directory(crowd: int) -> Iterator[Message]:
    for entity_id, domain in (("e", "ours.test"), ("crowd", "crowd.test")):
        entity = directory_pb2.Entity(entity_id=entity_id, name=entity_id, domains=[domain], version=1)
        yield events_pb2.EntityChanged(entity=entity)
    yield _person("p", 1, "e", "p@ours.test")
    for number in range(crowd):
        yield _person(f"c{number}", number + 2, "crowd", f"c{number}@crowd.test")
    everybody = directory_pb2.Group(
        group_id="everybody", entity_id="crowd", addresses=[EVERYBODY], expression='entity = "crowd"', version=1
    )
    yield events_pb2.GroupChanged(group=everybody)


def _person(person_id: str, number: int, entity_id: str, address: str) -> Message:
    state = directory_pb2.PERSON_STATE_ACTIVE
    person = directory_pb2.Person(
        person_id=person_id, number=number, entity_id=entity_id, addresses=[address], state=state, version=1
    )
    return events_pb2.PersonChanged(person=person)


@dataclass
class Taken:
    """One round: seconds until the sink had all, and CPU seconds by part."""

    seconds: float
    cpu: dict[str, float]


def load(server: Server, shape: Shape, sink: int, folder: Path) -> Taken:
    """Sends the shape's mails and waits until the sink has had them all."""
    # What a transaction of a hop carries is one mail at the sink, whatever its recipients.
    receiver = Sink(folder, sink, shape.mails)
    receiver.start()
    before, began = server.cpu(), time.monotonic()
    hand_in(server, shape, "x@sink.test")
    _until(lambda: receiver.exit_code is not None, 600)
    seconds, after = time.monotonic() - began, server.cpu()
    receiver.kill()
    return Taken(seconds, {part: after[part] - before[part] for part in after})


def hand_in(server: Server, shape: Shape, to: str, file: Path | None = None) -> None:
    """Sends the shape's mails, or that of the file so many times, and returns when all of them are taken."""
    command = [_found("smtp-source"), "-s", str(SESSIONS), "-m", str(shape.mails)]
    command += ["-F", str(file)] if file else ["-l", str(shape.octets)]
    command += ["-r", str(shape.recipients)] if shape.recipients > 1 else []
    command += ["-f", "p@ours.test", "-t", to, f"inet:{LOOPBACK}:{server.port}"]
    subprocess.run(command, check=True, capture_output=True)


def compare(
    ours: Ours, postfix: Postfix, sink: int, folder: Path, *, shapes: Sequence[Shape] = SHAPES, on: str = ""
) -> Iterator[Row]:
    for shape in shapes:
        rounds: dict[str, list[Taken]] = {"ours": [], "postfix": []}
        for number in range(ROUNDS + 1):  # the first warms up
            for name, server in (("ours", ours), ("postfix", postfix)):
                taken = load(server, shape, sink, folder)
                if number:
                    rounds[name].append(taken)
        rates = {name: statistics.median(shape.mails / each.seconds for each in some) for name, some in rounds.items()}
        cpu = {name: _cpu_a_mail(some, shape.mails) for name, some in rounds.items()}
        own, peer = cpu["ours"]["edge"] + cpu["ours"]["worker"], cpu["postfix"]["postfix"]
        parts = ", ".join(f"{part} {value:.2f}" for part, value in cpu["ours"].items())
        note = f"relayed; load {os.getloadavg()[0]:.1f}"
        yield _row(shape.name + on, rates["ours"], rates["postfix"], "mails/s", f">= {shape.aim:g}", note)
        note = f"lower is better; whole stack {sum(cpu['ours'].values()):.2f}: {parts}"
        yield _row(f"{shape.name}: CPU{on}", own, peer, "ms/mail", "", note)


def latency(ours: Ours, rate: float) -> Row:
    """From the client's 250 to the mailbox, at a steady rate, by the times of the files there."""
    sent: dict[str, float] = {}
    with smtplib.SMTP(LOOPBACK, ours.port, timeout=60) as client:
        began = time.time()
        for number in range(int(rate * HALF_LOAD_SECONDS)):
            time.sleep(max(0.0, began + number / rate - time.time()))
            client.sendmail("p@ours.test", ["p@ours.test"], f"X-Number: {number}\r\n\r\n{'x' * 1000}\r\n".encode())
            sent[str(number)] = time.time()
    _until(lambda: len(list(ours.mailbox.iterdir())) >= len(sent))
    waits = sorted(
        max(0.0, path.stat().st_ctime - sent[path.read_text().partition("X-Number: ")[2].split()[0]]) * 1000
        for path in ours.mailbox.iterdir()
    )
    p50, p99 = (waits[int(len(waits) * share)] for share in (0.5, 0.99))
    note = f"accept to mailbox at {rate:.0f}/s over one session: p50; p99 {p99:.0f} ms; load {os.getloadavg()[0]:.1f}"
    return {
        "metric": "latency",
        "ours": p50,
        "peer": None,
        "ratio": None,
        "unit": "ms",
        "aim": "p50 <= 250, p99 <= 2000",
        "note": note,
    }


def measure() -> list[Row]:
    sink = free_port()
    folder = Path(tempfile.mkdtemp(prefix="bench-mail-"))
    folder.chmod(0o755)
    try:
        with Ours(folder / "ours", sink) as ours, Postfix(folder / "postfix", sink) as postfix:
            rows = list(compare(ours, postfix, sink, folder))
            with Postfix(folder / "hasty", sink, HASTY) as hasty:
                rows += compare(ours, hasty, sink, folder, shapes=SHAPES[2:], on=", Postfix without its pauses")
            rows.append(latency(ours, min(rows[0]["ours"] / 2, 200.0)))
        if shutil.which("secantusd-rs"):
            with Ours(folder / "default", sink, default_store=True) as ours, Postfix(folder / "again", sink) as postfix:
                rows += compare(ours, postfix, sink, folder, shapes=SHAPES[:1], on=", embedded store")
        return rows
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _row(metric: str, ours: float, peer: float, unit: str, aim: str, note: str) -> Row:
    return {"metric": metric, "ours": ours, "peer": peer, "ratio": ours / peer, "unit": unit, "aim": aim, "note": note}


def _cpu_a_mail(rounds: Sequence[Taken], mails: int) -> dict[str, float]:
    """Milliseconds by part, medians."""
    return {part: statistics.median(1000 * each.cpu[part] / mails for each in rounds) for part in rounds[0].cpu}


def _tree_cpu(root: int) -> float:
    """CPU seconds of a process and of all below it, those that have ended included."""
    stats: dict[int, tuple[int, float]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue  # it has ended meanwhile
            stats[int(entry.name)] = int(words[1]), sum(map(int, words[11:15])) / _TICK
    family, seconds = [root], 0.0
    for pid in family:
        seconds += stats.get(pid, (0, 0.0))[1]
        family += [child for child, (parent, _) in stats.items() if parent == pid]
    return seconds


def _found(program: str) -> str:
    path = shutil.which(program, path=_SBIN)
    assert path is not None, f"{program} is missing: apt-get install postfix"
    return path


def _unchrooted(line: str) -> str:
    words = line.split()
    is_service = len(words) >= 8 and not line.startswith(("#", " "))
    return " ".join([*words[:4], "n", *words[5:]]) if is_service else line


def _until(look: Callable[[], Any], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not look():
        assert time.monotonic() < deadline, "it did not come to its end in time"
        time.sleep(0.02)
