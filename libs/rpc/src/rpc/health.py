"""The standard health service (grpc.health.v1), told by the process's readiness registry."""

import asyncio
import contextlib
from collections.abc import Collection
from typing import Any

import telemetry
from grpc import StatusCode, aio
from grpc_health.v1 import health_pb2, health_pb2_grpc

from rpc.load import Load

SERVICE = "grpc.health.v1.Health"
_LOOK_EVERY = 0.5
"""Seconds between two looks at the registry while somebody watches."""

Context = aio.ServicerContext[Any, Any]


class Health(health_pb2_grpc.HealthServicer):
    """Says SERVING for the server ("") and each of its services while the process is ready.

    A watch ends when the server drains, after it has said NOT_SERVING.
    """

    def __init__(self, services: Collection[str], load: Load) -> None:
        self._services = frozenset(services) | {""}
        self._load = load

    async def Check(self, request: health_pb2.HealthCheckRequest, context: Context) -> Any:  # noqa: N802 - the proto's
        if request.service not in self._services:
            await context.abort(StatusCode.NOT_FOUND, "no such service here")
        return health_pb2.HealthCheckResponse(status=self._status(request.service))

    async def Watch(self, request: health_pb2.HealthCheckRequest, context: Context) -> None:  # noqa: N802 - the proto's
        told: int | None = None
        while True:
            draining = self._load.draining.is_set()
            status = self._status(request.service)
            if status != told:
                await context.write(health_pb2.HealthCheckResponse(status=status))
                told = status
            if draining:
                return
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_EVERY):
                    await self._load.draining.wait()

    def _status(self, service: str) -> int:
        answer = health_pb2.HealthCheckResponse
        if service not in self._services:
            return answer.SERVICE_UNKNOWN
        serving = not self._load.draining.is_set() and telemetry.health.ready()
        return answer.SERVING if serving else answer.NOT_SERVING
