"""What a service is told from outside: environment variables, checked before anything starts."""

import os
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from errors import RossioError
from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

PREFIX = "ROSSIO_"

Address = Annotated[str, Field(pattern=r"^(\[[0-9a-fA-F:.]+\]|[^:\s\[\]]*):\d{1,5}$", description="host:port")]
"""`host:port`; port 0 takes a free one. An empty host means every interface."""


class WrongSettings(RossioError):
    """The process was told something that cannot be; the message has one line for each."""

    default_reason = "WRONG_SETTINGS"


class Settings(BaseSettings):
    """What every service is told. A service adds its own in a subclass.

    Each field is read from the environment variable of its name in capitals, with `ROSSIO_` before
    it or without; an empty variable counts as not set.
    """

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_ignore_empty=True)

    kafka_bootstrap: str = "127.0.0.1:9092"
    """host:port, comma separated."""
    kafka_idempotence: bool = True
    """False on the embedded broker of the wheel, which has no idempotent producers."""
    kafka_session: Annotated[timedelta, Field(ge=timedelta(seconds=1))] = timedelta(seconds=10)
    """After so long without a word of it a consumer counts as dead; brokers take no less than 6 seconds by default."""
    kafka_tls: bool = False
    """The brokers are reached over TLS, and have to show a certificate of `kafka_tls_authority`."""
    kafka_tls_authority: Path | None = None
    """PEM, read again when it is replaced, as are the next two; without it whom this machine trusts."""
    kafka_tls_certificate: Path | None = None
    """Shown to the brokers, where they ask for one."""
    kafka_tls_key: Path | None = None
    kafka_sasl_mechanism: str = ""
    """SCRAM-SHA-512, SCRAM-SHA-256 or PLAIN: the brokers ask for a user and password; empty: they do not."""
    kafka_sasl_username: str = ""
    kafka_sasl_password: SecretStr | None = None
    kafka_sasl_without_tls: bool = False
    """The password is sent without TLS, on purpose: where nobody else hears the network."""
    mongodb_uri: str = "mongodb://127.0.0.1:27017"
    mongodb_database: str = ""
    """Empty: `rossio_` and the name of the service."""
    data_path: Path = Path(".rossio/data")
    """A folder of this service alone, for what it keeps in files."""

    grpc_address: Address = "127.0.0.1:0"
    grpc_tls_certificate: Path | None = None
    """PEM; without it calls are served in clear, for loopback and meshes."""
    grpc_tls_key: Path | None = None
    grpc_tls_authority: Path | None = None
    """Callers must show a certificate of this authority (mTLS)."""
    grpc_max_message_bytes: int = 4 << 20
    """The largest request that is taken in."""
    grpc_peer_authority: Path | None = None
    """Other services show a certificate of this authority: they are called over TLS, showing this process's own."""
    admin_address: Address = "127.0.0.1:0"
    """Metrics, probes and the log level; for the operator's network alone, since it asks for no token."""

    oidc_issuer: str = ""
    """The `iss` of tokens; needed by whoever serves gRPC."""
    oidc_audience: str = "rossio"
    oidc_jwks: str = ""
    """URL or path of the issuer's public keys."""
    service_token_file: Path | None = None
    """The token with which this service calls others; read again when it is replaced."""
    workload_issuer: str = ""
    """The `iss` of the Kubernetes cluster whose service accounts are services of the suite; empty: of none."""
    workload_jwks: str = ""
    """URL or path of its public keys."""
    workload_jwks_authority: Path | None = None
    """Who signed the certificate of that URL's server."""
    workload_jwks_token_file: Path | None = None
    """The token that it wants to see."""
    workload_subjects: str = ""
    """What the `sub` of those accounts begins with, before the service's name."""

    blobs: Literal["local", "gridfs", "s3"] = "local"
    """Where content lies: in `data_path`, in the database, or in a bucket."""
    blobs_master_key: SecretStr | None = None
    """32 bytes in base64, which wrap the data keys; several, comma separated: the first wraps, all unwrap.
    Local content without it makes a key file of its own.
    """
    blobs_s3_endpoint: str = ""
    """http(s)://host:port of the S3 server; empty: that of the region."""
    blobs_s3_bucket: str = ""
    """The bucket, which is there already."""
    blobs_s3_region: str = "us-east-1"
    """The region that requests are signed for."""
    blobs_s3_access_key: str = ""
    """Empty: those of the environment (instance or pod identity)."""
    blobs_s3_secret_key: SecretStr | None = None

    otlp_endpoint: str | None = None
    trace_sample_ratio: Annotated[float, Field(ge=0, le=1)] = 0.01
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    roles: Annotated[frozenset[str], NoDecode] = frozenset()
    """The parts of the service that this process plays, comma separated; empty: all."""
    prepare_seconds: Annotated[float, Field(gt=0)] | None = None
    """Set: it only creates its indexes in the store, within so long, and ends."""
    drain_seconds: Annotated[float, Field(ge=0)] = 20.0
    """How long work in hand may take to end after SIGTERM; below the pod's grace period."""
    lame_duck_seconds: Annotated[float, Field(ge=0)] = 0.0
    """How long it goes on serving after it said that it is not ready, until load balancers know."""

    @field_validator("roles", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return frozenset(filter(None, map(str.strip, value.split(",")))) if isinstance(value, str) else value

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the signature is pydantic's
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, EnvSettingsSource(settings_cls, env_prefix=PREFIX), env_settings


AnySettings = TypeVar("AnySettings", bound=Settings)


def read(settings: type[AnySettings]) -> AnySettings:
    """The settings of this process; WrongSettings names every variable that is wrong, without its value."""
    try:
        return settings()
    except ValidationError as error:
        lines = [f"{_variable(str(problem['loc'][0]))}: {problem['msg']}" for problem in error.errors()]
    raise WrongSettings("\n".join(lines))


def _variable(field: str) -> str:
    """The name of the environment variable that was read for a field."""
    name = field.upper()
    return PREFIX + name if PREFIX + name in os.environ else name
