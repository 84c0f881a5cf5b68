"""What the interceptor adds to a unary call: CPU of the serving process per call, against bare grpc.aio.

Both servers are processes of their own with the same handler, and get the same calls, token included; only the
first has token check, rule, deadline, validation, error mapping, span and metric around it. Run it alone:
`python libs/rpc/bench/interceptor.py`.
"""

import asyncio
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from subprocess import PIPE, Popen
from typing import Any

import rpc
import telemetry
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from grpc import aio
from jwt import encode
from jwt.algorithms import OKPAlgorithm
from rossio.mail.v1 import service_pb2, service_pb2_grpc
from service.process import collect_seldom

_SERVICE = "rossio.mail.v1.MailService"
_ISSUER, _AUDIENCE = "https://issuer.bench", "bench"
_ROUNDS = 15
_REQUEST = service_pb2.ResolveRequest(sender="a.sender@entity-one.test", recipient="a.recipient@entity-two.test")
_RESPONSE = service_pb2.ResolveResponse(
    steps=[service_pb2.ResolveStep(kind="person", subject="a.recipient@entity-two.test", result="is a person")],
    destinations=[service_pb2.Destination(address="a.recipient@entity-two.test", kind="mailbox", target="m" * 64)],
    destination_count=1,
)


class _Mail(service_pb2_grpc.MailServiceServicer):
    async def Resolve(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802 - the stub's
        return _RESPONSE


async def _serve(jwks: str | None) -> None:
    """Serves until its input ends, and answers each line on it with the CPU seconds used so far."""
    if jwks is None:
        bare = aio.server()
        service_pb2_grpc.add_MailServiceServicer_to_server(_Mail(), bare)  # type: ignore[abstract]  # one method is measured
        port = bare.add_insecure_port("127.0.0.1:0")
        await bare.start()
    else:
        telemetry.start("bench", version="0", sample_ratio=0.0, log_level="warning")
        served = (_Mail(), service_pb2_grpc.add_MailServiceServicer_to_server, _SERVICE)  # type: ignore[abstract]
        ours = rpc.Server([served], rpc.Verifier(jwks, _ISSUER, _AUDIENCE), address="127.0.0.1:0")
        port = await ours.start()
    collect_seldom()  # as a service does, for both sides
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    while await asyncio.to_thread(sys.stdin.readline):
        sys.stdout.write(f"{time.process_time()}\n")
        sys.stdout.flush()


class _Side:
    """One serving process and a channel to it."""

    def __init__(self, token: str, *, jwks: str | None = None) -> None:
        argument = [jwks] if jwks else []
        self._process = Popen([sys.executable, __file__, "serve", *argument], stdin=PIPE, stdout=PIPE, text=True)
        self._port = int(self._line())
        self._metadata = (("authorization", f"Bearer {token}"),)

    async def round(self, calls: int, at_once: int) -> float:
        """CPU microseconds that the process spends per call."""
        async with aio.insecure_channel(f"127.0.0.1:{self._port}") as channel:
            stub = service_pb2_grpc.MailServiceStub(channel)

            async def some() -> None:
                for _ in range(calls // at_once):
                    await stub.Resolve(_REQUEST, metadata=self._metadata)

            await some()
            before = self._cpu()
            await asyncio.gather(*(some() for _ in range(at_once)))
            return (self._cpu() - before) / calls * 1e6

    def close(self) -> None:
        self._process.communicate()

    def _cpu(self) -> float:
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return float(self._line())

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()


def _issuer(folder: Path) -> tuple[str, str]:
    """A key set in the folder, and a token that one of its keys has signed."""
    key = Ed25519PrivateKey.generate()
    jwks = folder / "jwks.json"
    jwks.write_text(json.dumps({"keys": [{**OKPAlgorithm.to_jwk(key.public_key(), as_dict=True), "kid": "k"}]}))
    claims = {"iss": _ISSUER, "aud": _AUDIENCE, "sub": "p1", "kind": "person", "entity": "e01", "roles": []}
    return str(jwks), encode({**claims, "exp": time.time() + 3600}, key, algorithm="EdDSA", headers={"kid": "k"})


async def _compare(calls: int, at_once: int) -> tuple[float, float, float]:
    """Medians of ours and bare, and of the ratio of each pair of rounds, which run by turns."""
    with tempfile.TemporaryDirectory() as folder:
        jwks, token = _issuer(Path(folder))
        ours, bare = _Side(token, jwks=jwks), _Side(token)
        try:
            pairs = [(await ours.round(calls, at_once), await bare.round(calls, at_once)) for _ in range(_ROUNDS)]
        finally:
            ours.close()
            bare.close()
    mine, theirs = ([pair[side] for pair in pairs] for side in (0, 1))
    return statistics.median(mine), statistics.median(theirs), statistics.median(a / b for a, b in pairs)


def measure(*, calls: int = 1600, at_once: int = 16) -> list[dict[str, Any]]:
    """Returns one row: what a call costs the server with everything on, and what it costs bare."""
    ours, bare, ratio = asyncio.run(_compare(calls, at_once))
    return [
        {
            "metric": "interceptor",
            "ours": round(ours, 1),
            "peer": round(bare, 1),
            "ratio": round(ratio, 3),
            "unit": "us CPU of the server per unary call",
            "aim": "at most 1.2x",
            "note": f"medians of {_ROUNDS} rounds of {calls} calls, {at_once} at once; peer: bare grpc.aio, same calls",
        }
    ]


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        asyncio.run(_serve(sys.argv[2] if len(sys.argv) > 2 else None))
    else:
        sys.stdout.write(json.dumps(measure(), indent=2) + "\n")
