"""A real S3 server on loopback: moto, or another when S3_SERVER is the path of its program: versitygw or MinIO."""

import os
import sys
from pathlib import Path
from typing import Final

from devstack.program import LOOPBACK, Program, free_port, listens

ACCESS_KEY: Final = "rossio-test"
SECRET_KEY: Final = "rossio-test-secret"
REGION: Final = "us-east-1"


class S3(Program):
    """An S3 server; what moto holds goes with its process."""

    def __init__(self, folder: Path) -> None:
        super().__init__("s3", folder)
        self._port = free_port()
        self._server = os.environ.get("S3_SERVER", "")

    @property
    def endpoint(self) -> str:
        return f"http://{LOOPBACK}:{self._port}"

    def client(self) -> dict[str, str]:
        """How boto3 reaches it."""
        return {
            "endpoint_url": self.endpoint,
            "region_name": REGION,
            "aws_access_key_id": ACCESS_KEY,
            "aws_secret_access_key": SECRET_KEY,
        }

    def command(self) -> list[str]:
        at = f"{LOOPBACK}:{self._port}"
        if not self._server:
            return [sys.executable, "-m", "moto.server", "-H", LOOPBACK, "-p", str(self._port)]
        data = self.folder / "data"
        data.mkdir(parents=True, exist_ok=True)
        if Path(self._server).name == "minio":
            return [self._server, "server", "--address", at, str(data)]
        return [self._server, "--port", at, "--region", REGION, "--quiet", "posix", str(data)]

    def environment(self) -> dict[str, str]:
        minio = {"MINIO_ROOT_USER": ACCESS_KEY, "MINIO_ROOT_PASSWORD": SECRET_KEY, "MINIO_BROWSER": "off"}
        return {**minio, "ROOT_ACCESS_KEY": ACCESS_KEY, "ROOT_SECRET_KEY": SECRET_KEY}

    def ready(self) -> bool:
        return listens(self._port)
