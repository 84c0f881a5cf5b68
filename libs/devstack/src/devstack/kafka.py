"""A real Apache Kafka, one node on loopback, from the jars of Maven Central: no container, no installer.

The jars (43 MB) and a formatted, empty data folder are fetched once into a cache outside the tree.
"""

import fcntl
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from devstack.program import LOOPBACK, Missing, Program, free_port

VERSION = "4.4.0"
_JAVA = 17
_RESOURCES = Path(__file__).parent / "resources"
# Names the cluster in its data folder; every cluster made here has this one.
_CLUSTER_ID = "cm9zc2lvLWRldnN0YWNrLQ"
_JVM = ("-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
_SETTINGS = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "4",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "share.coordinator.state.topic.num.partitions": "1",
    "group.initial.rebalance.delay.ms": "0",
    # A test that kills consumers need not wait as long as the usual least for others to take over.
    "group.min.session.timeout.ms": "1000",
    # A topic comes into being on purpose (messaging.ensure_topics) or not at all.
    "auto.create.topics.enable": "false",
    # A killed broker may register again when its old session is over.
    "broker.session.timeout.ms": "4000",
    "broker.heartbeat.interval.ms": "500",
}


def cache() -> Path:
    """Where the jars are, or will be."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "rossio" / f"kafka-{VERSION}"


def missing() -> str | None:
    """What keeps Kafka from running on this machine, with the remedy; None when nothing does."""
    java = shutil.which("java")
    if java is None:
        return f"Apache Kafka needs Java {_JAVA} or later: apt-get install openjdk-17-jre-headless"
    said = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr
    found = re.search(r'version "(\d+)', said)
    if found is None or int(found[1]) < _JAVA:
        return f"Apache Kafka needs Java {_JAVA} or later, and `java -version` says {said.splitlines()[:1]}"
    if not cached() and shutil.which("mvn") is None:
        return "Apache Kafka's jars come through Maven, and mvn is missing: apt-get install maven"
    return None


def cached() -> bool:
    """Whether the jars are here already, so that a start takes seconds and no network."""
    return cache().is_dir()


def fetch() -> Path:
    """Returns the folder with the jars (`jars/`) and an empty formatted log (`formatted/`), made if need be.

    Raises:
        Missing: Java or Maven is not there, or the jars cannot be had.
    """
    target = cache()
    if target.is_dir():
        return target
    if (lack := missing()) is not None:
        raise Missing(lack)
    target.parent.mkdir(parents=True, exist_ok=True)
    with (target.parent / "kafka.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not target.is_dir():
            with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
                made = Path(scratch) / "kafka"
                _copy_jars(made / "jars")
                _format(made)
                made.rename(target)
    return target


def main() -> None:
    """`python -m devstack.kafka`: fetches Kafka ahead of its first use, or says what is missing."""
    if not cached():
        print(f"fetching Apache Kafka {VERSION} (43 MB, once)", file=sys.stderr)
    try:
        fetch()
    except Missing as lack:
        print(f"{lack}\nTests on it fail in CI and are skipped elsewhere.", file=sys.stderr)


def _copy_jars(folder: Path) -> None:
    arguments = ["-DincludeScope=runtime", f"-DoutputDirectory={folder}", f"-Dkafka.version={VERSION}"]
    _run(["mvn", "-q", "-B", "-f", _RESOURCES / "kafka-pom.xml", "dependency:copy-dependencies", *arguments])


def _format(made: Path) -> None:
    """A data folder is formatted once and copied for each cluster: that saves a start of the JVM each time."""
    _format_data(made, made / "format.properties", made / "formatted", {})


def _format_data(fetched: Path, settings: Path, data: Path, users: Mapping[str, str]) -> None:
    """Makes an empty data folder that knows these users (SCRAM) by their passwords."""
    ports = {"listeners": f"PLAINTEXT://{LOOPBACK}:9092,CONTROLLER://{LOOPBACK}:9093"}
    voters = {"controller.quorum.voters": f"1@{LOOPBACK}:9093", "log.dirs": str(data)}
    _write(settings, {**_SETTINGS, **ports, **voters})
    known = [
        option
        for name, password in users.items()
        for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-512")
        for option in ("--add-scram", f"{mechanism}=[name={name},password={password}]")
    ]
    _run([*_java(fetched, "kafka.tools.StorageTool"), "format", "-t", _CLUSTER_ID, "-c", settings, *known])


def _run(command: Sequence[str | Path]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        last = "\n".join((done.stdout + done.stderr).splitlines()[-8:])
        raise Missing(f"`{command[0]}` could not prepare Apache Kafka {VERSION}; is the network up?\n{last}")


def _java(fetched: Path, main: str) -> list[str]:
    logging = f"-Dlog4j2.configurationFile=file:{_RESOURCES / 'kafka-log4j2.properties'}"
    return ["java", *_JVM, logging, "-cp", str(fetched / "jars" / "*"), main]


def _write(path: Path, settings: Mapping[str, str]) -> None:
    path.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))


class Kafka(Program):
    """A single-node Kafka (KRaft); `kill` and `start` again keep its data and its port.

    `settings` are broker properties that go before those of this module. `listeners` are further ones beside that of
    plain text, each a name and its protocol, such as {"USERS": "SASL_SSL"}; `users` are known from the first start on
    (SCRAM), by their passwords.
    """

    def __init__(
        self,
        folder: Path,
        *,
        port: int | None = None,
        settings: Mapping[str, str] | None = None,
        listeners: Mapping[str, str] | None = None,
        users: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__("kafka", folder)
        self._port = port or free_port()
        self._controller_port = free_port()
        self._settings = dict(settings or {})
        self._protocols = dict(listeners or {})
        self._ports = {name: free_port() for name in self._protocols}
        self._users = dict(users or {})

    @property
    def bootstrap(self) -> str:
        """The address that clients start from."""
        return f"{LOOPBACK}:{self._port}"

    def address(self, listener: str) -> str:
        """The same for one of the further listeners."""
        return f"{LOOPBACK}:{self._ports[listener]}"

    def command(self) -> list[str]:
        fetched = fetch()
        data = self.folder / "data"
        if not data.exists() and self._users:
            _format_data(fetched, self.folder / "format.properties", data, self._users)
        elif not data.exists():
            shutil.copytree(fetched / "formatted", data)
        controller = f"{LOOPBACK}:{self._controller_port}"
        settings = self.folder / "server.properties"
        further = "".join(f",{name}://{self.address(name)}" for name in self._protocols)
        protocols = "".join(f",{name}:{protocol}" for name, protocol in self._protocols.items())
        places = {
            "listeners": f"PLAINTEXT://{self.bootstrap},CONTROLLER://{controller}{further}",
            "advertised.listeners": f"PLAINTEXT://{self.bootstrap}{further}",
            "listener.security.protocol.map": f"{_SETTINGS['listener.security.protocol.map']}{protocols}",
            "controller.quorum.voters": f"1@{controller}",
            "log.dirs": str(data),
        }
        _write(settings, {**_SETTINGS, **places, **self._settings})
        return [*_java(fetched, "kafka.Kafka"), str(settings)]

    def ready(self) -> bool:
        """The port opens before the broker may lead partitions, so the log is asked."""
        return "Kafka Server started" in self.output()


if __name__ == "__main__":
    main()
