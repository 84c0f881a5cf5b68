"""Certificates of a server or a channel, read from files; renewed ones are read by themselves."""

from dataclasses import dataclass
from pathlib import Path

import grpc


@dataclass(frozen=True, slots=True)
class Tls:
    """Where certificates are, in PEM.

    A server shows `certificate`; with `authority` it asks callers for one by that authority (mTLS).
    A channel trusts servers by `authority`, by the machine's when it is None, and shows `certificate`
    when it has one.
    """

    authority: Path | None = None
    certificate: Path | None = None
    key: Path | None = None

    def server_credentials(self) -> grpc.ServerCredentials:
        """Returns credentials that follow the files: a renewed certificate holds for the next connection.

        Raises:
            ValueError: there is no certificate or no key.
            OSError: a file cannot be read.
        """
        told = [self._server_configuration()]
        seen = [self.stamps()]

        def follow() -> grpc.ServerCertificateConfiguration | None:
            try:
                stamps = self.stamps()
                if stamps == seen[0]:
                    return None
                told[0], seen[0] = self._server_configuration(), stamps
            except OSError:
                return None  # in the middle of being replaced
            return told[0]

        return grpc.dynamic_ssl_server_credentials(
            told[0],
            follow,  # type: ignore[arg-type]  # None says that nothing has changed, which the stubs do not know
            require_client_authentication=self.authority is not None,
        )

    def channel_credentials(self) -> grpc.ChannelCredentials:
        """Returns credentials for a channel.

        Raises:
            OSError: a file cannot be read.
        """
        authority, certificate, key = map(_content, (self.authority, self.certificate, self.key))
        return grpc.ssl_channel_credentials(authority, key, certificate)

    def _server_configuration(self) -> grpc.ServerCertificateConfiguration:
        if self.certificate is None or self.key is None:
            raise ValueError("a server needs a certificate and its key")
        pair = (self.key.read_bytes(), self.certificate.read_bytes())
        return grpc.ssl_server_certificate_configuration([pair], _content(self.authority))

    def stamps(self) -> tuple[int, ...]:
        """When each file was last replaced; raises OSError when one is not there."""
        return tuple(path.stat().st_mtime_ns for path in (self.authority, self.certificate, self.key) if path)


def _content(path: Path | None) -> bytes | None:
    return None if path is None else path.read_bytes()
