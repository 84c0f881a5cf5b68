# ruff: noqa: N802 - the methods have the names of the proto
"""A service with a method of every kind, made from echo.proto, and an issuer of tokens of every kind."""

import importlib
import json
import sys
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jwt
import pytest
import rossio
import rpc
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from grpc_tools import protoc
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

ISSUER, AUDIENCE = "https://issuer.test", "rossio-test"


@pytest.fixture(scope="session")
def echo(tmp_path_factory):
    """The generated modules of echo.proto, as one namespace."""
    out = tmp_path_factory.mktemp("echo")
    folder = out / "protos" / "echo" / "v1"
    folder.mkdir(parents=True)
    (folder / "echo.proto").write_text((Path(__file__).parent / "echo.proto").read_text())
    protos = Path(rossio.__file__).parent.parent
    arguments = [f"--proto_path={path}" for path in (out / "protos", protos, files("grpc_tools") / "_proto")]
    made = protoc.main(["protoc", *arguments, f"--python_out={out}", f"--grpc_python_out={out}", "echo/v1/echo.proto"])
    assert made == 0
    sys.path.insert(0, str(out))
    try:
        messages = importlib.import_module("echo.v1.echo_pb2")
        services = importlib.import_module("echo.v1.echo_pb2_grpc")
    finally:
        sys.path.remove(str(out))
    return SimpleNamespace(**vars(messages), **{k: v for k, v in vars(services).items() if "Service" in k})


@pytest.fixture
def echoing(echo):
    """A servicer; a test replaces what a method does."""

    class Echo:
        def __init__(self):
            self.chunks = []

        async def Say(self, request, context):
            return echo.SayResponse(text=request.text)

        Edit = Citizens = Nobody = Unspecified = Hurry = Say

        async def Write(self, request, context):
            return echo.SayResponse(text=rpc.derived_id(request.text))

        async def Count(self, request, context):
            for number in range(int(request.text)):
                yield echo.SayResponse(text=str(number))

        Watch = Count

        async def Upload(self, messages, context):
            async for message in messages:
                self.chunks.append(message)
            return echo.SayResponse(text=rpc.request_id())

        async def Chat(self, messages, context):
            async for message in messages:
                yield echo.SayResponse(text=message.text.upper())

        async def List(self, request, context):
            after = rpc.read_page_token(request)
            start = int(after[0]) + 1 if after else 0
            items = [str(number) for number in range(25)][start : start + rpc.page_size(request, default=10, most=20)]
            more = items and items[-1] != "24"
            return echo.ListResponse(items=items, next_page_token=rpc.page_token(request, items[-1]) if more else "")

        async def Check(self, request, context):
            return echo.SayResponse(text="fine")

    return Echo()


@dataclass
class Issuer:
    """Signs tokens with keys of its own, and publishes the keys that a test wants published."""

    jwks: Path
    keys: dict[str, tuple[Any, str]] = field(default_factory=dict)

    def make(self, kid="k1", algorithm="EdDSA", **options):
        self.keys[kid] = (
            {
                "EdDSA": Ed25519PrivateKey.generate,
                "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
                "RS256": lambda: rsa.generate_private_key(65537, options.get("bits", 2048)),
            }[algorithm](),
            algorithm,
        )
        return kid

    def publish(self, *kids, **more):
        self.jwks.write_text(self.document(*kids, **more))

    def document(self, *kids, **more):
        forms: dict[str, Any] = {"EdDSA": OKPAlgorithm, "ES256": ECAlgorithm, "RS256": RSAAlgorithm}
        published = [
            {**forms[self.keys[kid][1]].to_jwk(self.keys[kid][0].public_key(), as_dict=True), "kid": kid, **more}
            for kid in kids or self.keys
        ]
        return json.dumps({"keys": published})

    def token(self, subject="p1", kind="person", entity="e01", roles=(), *, kid="k1", ttl=600, without=(), **claims):
        key, algorithm = self.keys[kid]
        content = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": subject,
            "kind": kind,
            "entity": entity,
            "roles": list(roles),
            "exp": time.time() + ttl,
            **claims,
        }
        for claim in without:
            del content[claim]
        return jwt.encode(content, key, algorithm=algorithm, headers={"kid": kid})

    def verifier(self, **options):
        return rpc.Verifier(str(self.jwks), ISSUER, AUDIENCE, **options)


@pytest.fixture
def issuer(tmp_path):
    made = Issuer(tmp_path / "jwks.json")
    made.make()
    made.publish()
    return made


@pytest.fixture
def serving(echo, echoing, issuer):
    """Serves the echo service and opens a channel to it: `async with serving(...) as stub`."""

    @asynccontextmanager
    async def serve(token=None, *, server_tls=None, channel_tls=None, timeout=10.0, grace=5.0, host="127.0.0.1"):
        service = (echoing, echo.add_EchoServiceServicer_to_server, "echo.v1.EchoService")
        server = rpc.Server([service], issuer.verifier(), address=f"{host}:0", tls=server_tls)
        port = await server.start()
        bearer = issuer.token() if token is None else token
        try:
            async with rpc.channel(f"{host}:{port}", token=lambda: bearer, tls=channel_tls, timeout=timeout) as channel:
                stub = echo.EchoServiceStub(channel)
                stub.server, stub.port, stub.channel = server, port, channel
                yield stub
        finally:
            await server.stop(grace)

    return serve
