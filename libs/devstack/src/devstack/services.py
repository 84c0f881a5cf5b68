"""The six services as programs, and the settings by which they find each other."""

import http
import http.client
import sys
import time
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from devstack.issuer import AUDIENCE, Issuer
from devstack.program import LOOPBACK, Failed, Missing, Program, free_port, listens

_POLL_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Service:
    """A service of the suite, and the ports that its README names."""

    name: str
    grpc_port: int
    admin_port: int
    further_ports: Mapping[str, int] = field(default_factory=dict)
    """Setting of an address -> port."""
    tls_ports: Mapping[str, int] = field(default_factory=dict)
    """The same, of addresses that a process serves which has a certificate."""

    @property
    def module(self) -> str:
        """The module whose `python -m` is the service."""
        return f"{self.name.replace('-', '_')}.main"

    @property
    def ports(self) -> dict[str, int]:
        """Setting of an address -> the port that the README names."""
        return {"GRPC_ADDRESS": self.grpc_port, "ADMIN_ADDRESS": self.admin_port, **self.further_ports}

    def check_ports(self) -> None:
        """Looks whether its ports are free, so that a start fails at once and not after the servers' start.

        Raises:
            Missing: something listens on one of them.
        """
        for setting, port in {**self.ports, **self.tls_ports}.items():
            _check_free(self.name, setting, port)


def _check_free(service: str, setting: str, port: int) -> None:
    if listens(port):
        raise Missing(f"port {port} ({setting} of {service}) is in use: stop what holds it")


SERVICES: Final = (
    Service("directory", 7101, 7201),
    Service(
        "mail-routing",
        7102,
        7202,
        {"SMTP_ADDRESS": 2525},
        {"SUBMISSION_ADDRESS": 2587, "SUBMISSIONS_ADDRESS": 2465},
    ),
    Service("document", 7103, 7203, {"HTTP_ADDRESS": 7303}),
    Service("news", 7104, 7204, {"HTTP_ADDRESS": 7304}),
    Service("notification", 7105, 7205),
    Service("governance", 7106, 7206),
)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What every service of one installation is told."""

    kafka: str
    mongodb: str
    issuer: Issuer
    idempotence: bool = True
    """False on the broker of the wheel."""
    database_prefix: str = "rossio_"

    def settings(self, service: str) -> dict[str, str]:
        """The settings of one service, by environment variable."""
        return {
            "KAFKA_BOOTSTRAP": self.kafka,
            "KAFKA_IDEMPOTENCE": str(self.idempotence).lower(),
            "MONGODB_URI": self.mongodb,
            "MONGODB_DATABASE": f"{self.database_prefix}{service.replace('-', '_')}",
            "OIDC_ISSUER": self.issuer.name,
            "OIDC_AUDIENCE": AUDIENCE,
            "OIDC_JWKS": str(self.issuer.jwks.absolute()),
        }


class ServiceProgram(Program):
    """A running service; `kill` and `start` again keep its ports, its token and its folder.

    `settings` go before those that come from the surroundings; they may change between two starts.
    """

    def __init__(
        self,
        service: Service,
        folder: Path,
        surroundings: Surroundings,
        *,
        free_ports: bool = True,
        settings: Mapping[str, str] | None = None,
        certificate: Path | None = None,
    ) -> None:
        """`certificate` is for what it serves over TLS; the key lies beside it."""
        super().__init__(service.name, folder.absolute())
        self.service = service
        self.settings = dict(settings or {})
        ports = service.ports
        if certificate is not None and service.tls_ports:
            ports |= service.tls_ports
            key = certificate.with_name("key.pem")
            self.settings |= {"SMTP_TLS_CERTIFICATE": str(certificate), "SMTP_TLS_KEY": str(key)}
        self._surroundings = surroundings
        self.addresses = {name: f"{LOOPBACK}:{free_port() if free_ports else port}" for name, port in ports.items()}
        self._token_file = self.folder / "token"
        self._last_answer = "nothing answered on its admin port"

    @property
    def grpc(self) -> str:
        """Where its RPCs are answered."""
        return self.addresses["GRPC_ADDRESS"]

    @property
    def admin(self) -> str:
        """Where /metrics, /livez and /readyz are."""
        return self.addresses["ADMIN_ADDRESS"]

    def renew_token(self) -> None:
        """Puts a fresh token of the service in the place of the old one, in one step."""
        self.folder.mkdir(parents=True, exist_ok=True)
        fresh = self._token_file.with_suffix(".new")
        fresh.touch(mode=0o600)
        fresh.write_text(self._surroundings.issuer.token(self.name, kind="service"))
        fresh.replace(self._token_file)

    def command(self) -> list[str]:
        for setting, address in self.addresses.items():
            _check_free(self.name, setting, int(address.rpartition(":")[2]))
        self.renew_token()
        return [sys.executable, "-m", self.service.module]

    def environment(self) -> dict[str, str]:
        own = {"SERVICE_TOKEN_FILE": str(self._token_file), "DATA_PATH": str(self.folder / "data"), **self.addresses}
        return {**self._surroundings.settings(self.name), **own, **self.settings}

    def ready(self) -> bool:
        connection = http.client.HTTPConnection(self.admin, timeout=2)
        try:
            connection.request("GET", "/readyz")
            answer = connection.getresponse()
            self._last_answer = answer.read().decode(errors="replace").strip()
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()
        return answer.status == http.HTTPStatus.OK

    def restart(self, **settings: str) -> None:
        """Kills it and starts it anew, with these settings beside its own."""
        self.kill()
        self.settings |= settings
        self.start()

    def metric(self, name: str) -> float:
        """The value of a metric without labels, as /metrics shows it now; 0 when it is not there."""
        with urllib.request.urlopen(f"http://{self.admin}/metrics", timeout=10) as answer:
            lines = answer.read().decode().splitlines()
        return next((float(line.split()[1]) for line in lines if line.startswith(f"{name} ")), 0.0)

    def wait_for(self, metric: str, value: float, seconds: float = 120) -> None:
        """Polls until the metric has reached the value.

        Raises:
            Failed: it did not in time.
        """
        deadline = time.monotonic() + seconds
        while (now := self.metric(metric)) < value:
            if time.monotonic() > deadline:
                raise self.failure(f"has {metric} {now:g} after {seconds:g} s, not {value:g}")
            time.sleep(_POLL_SECONDS)

    def failure(self, what: str) -> Failed:
        return super().failure(f"{what} (/readyz: {self._last_answer})")
