"""A certificate authority of the test's own, and the secrets of the services as an operator would make them."""

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_DAY = timedelta(days=1)


class Authority:
    """Signs certificates; each instance is another authority."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Rossio test authority")])
        made = self._certificate(self._name, self._key.public_key())
        self._signed = made.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True).sign(
            self._key, hashes.SHA256()
        )

    def secret(self, name: str, hosts: list[str]) -> str:
        """A secret of type kubernetes.io/tls with ca.crt, for a server of these names, as JSON."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        names = x509.SubjectAlternativeName([x509.DNSName(host) for host in hosts])
        signed = self._certificate(subject, key.public_key()).add_extension(names, critical=False)
        pem = signed.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
        form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        content = {
            "tls.crt": pem,
            "tls.key": key.private_bytes(*form),
            "ca.crt": self._signed.public_bytes(serialization.Encoding.PEM),
        }
        return json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Secret",
                "type": "kubernetes.io/tls",
                "metadata": {"name": name},
                "data": {key: base64.b64encode(value).decode() for key, value in content.items()},
            }
        )

    def _certificate(self, subject: x509.Name, key: Any) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder(subject_name=subject, issuer_name=self._name, public_key=key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _DAY)
            .not_valid_after(now + 30 * _DAY)
        )
