"""A simulated SMS provider over HTTP: `python -m testkit.sms_provider --port P --log FILE`.

Its protocol is that of common providers::

    POST /messages    Authorization: Bearer KEY    Idempotency-Key: K
    {"to": "+351912345678", "text": "...", "reference": "...", "receipts": "http://..."}
    -> 202 {"id": "sms-1"}; the same key again -> 200 with the same id, and nothing is sent

Later it POSTs `{"id", "reference", "status": "delivered" | "failed", "at"}` to `receipts`, with `Signature-Timestamp`
(Unix seconds) and `Signature`, the HMAC-SHA256 in hexadecimal over timestamp, "." and body, until it is answered.

The log has a JSON object a line: `taken` for each message that goes to a telephone, `repeated`, `refused` and
`receipt`. It is also the provider's memory: started again on the same log, it knows its keys and owes its receipts.
"""

import argparse
import asyncio
import hashlib
import hmac
import json
import random
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import log
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web
from devstack.program import LOOPBACK, Program, free_port, listens
from devstack.suite import Beside

KEY = "development-key"
SECRET = "development-secret"
_RECEIPT_ATTEMPTS = 1000


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How well the provider works; rates are between 0 and 1, times are medians in milliseconds."""

    latency_ms: float = 40
    receipt_ms: float = 150
    # Answers 503 and takes nothing.
    refuse: float = 0
    # Takes the message and breaks the connection without an answer.
    lose_answer: float = 0
    # Takes it, and reports later that it could not be delivered.
    undelivered: float = 0
    # Sends each receipt once more.
    repeat_receipt: float = 0


@dataclass(slots=True)
class Taken:
    """A message that the provider has taken over."""

    id: str
    to: str
    text: str
    reference: str
    receipts: str
    receipted: bool = field(default=False)


def sign(secret: str, timestamp: str, body: bytes) -> str:
    """The signature of a receipt."""
    return hmac.new(secret.encode(), f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()


class SmsProvider:
    """The provider; `taken` has all messages by idempotency key."""

    def __init__(
        self,
        log: Path,
        *,
        port: int = 0,
        behaviour: Behaviour | None = None,
        key: str = KEY,
        secret: str = SECRET,
        seed: int = 1,
    ) -> None:
        self.port = port
        self.behaviour = behaviour or Behaviour()
        self.taken: dict[str, Taken] = {}
        # While it is not set, whoever comes has to wait; so many do.
        self.held: asyncio.Event | None = None
        self.waiting = 0
        self._log = log
        self._key = key
        self._secret = secret
        self._random = random.Random(seed)
        self._owed: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    async def start(self) -> None:
        self._log.parent.mkdir(parents=True, exist_ok=True)
        self._remember()
        self._client = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5))
        application = web.Application()
        application.router.add_post("/messages", self._submit)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, LOOPBACK, self.port)
        await site.start()
        self.port = self._runner.addresses[0][1]
        for taken in self.taken.values():
            if not taken.receipted:
                self._owe(taken)

    async def stop(self) -> None:
        for task in self._owed:
            task.cancel()
        await asyncio.gather(*self._owed, return_exceptions=True)
        await self._runner.cleanup()
        await self._client.close()

    async def _submit(self, request: web.Request) -> web.Response:
        await asyncio.sleep(self._takes(self.behaviour.latency_ms))
        if self.held is not None:
            self.waiting += 1
            await self.held.wait()
        key = request.headers.get("Idempotency-Key", "")
        if request.headers.get("Authorization") != f"Bearer {self._key}":
            return web.json_response({"error": "unknown key"}, status=401)
        try:
            said: dict[str, str] = await request.json()
            wanted = Taken("", said["to"], said["text"], said["reference"], said["receipts"])
        except (ValueError, KeyError, TypeError):
            return web.json_response({"error": "not a message"}, status=400)
        if not key or not wanted.to.startswith("+") or not wanted.text:
            return web.json_response({"error": "key, number or text is missing"}, status=422)
        if self._happens(self.behaviour.refuse):
            self._note("refused", key=key)
            return web.json_response({"error": "busy"}, status=503)
        known = self.taken.get(key)
        if known is not None:
            self._note("repeated", key=key, id=known.id)
            return web.json_response({"id": known.id})
        self._take(key, wanted)
        if self._happens(self.behaviour.lose_answer) and request.transport is not None:
            request.transport.abort()
        return web.json_response({"id": wanted.id}, status=202)

    def _take(self, key: str, wanted: Taken) -> None:
        wanted.id = f"sms-{len(self.taken) + 1}"
        self.taken[key] = wanted
        self._note(
            "taken",
            key=key,
            id=wanted.id,
            to=wanted.to,
            text=wanted.text,
            reference=wanted.reference,
            receipts=wanted.receipts,
        )
        self._owe(wanted)

    def _owe(self, taken: Taken) -> None:
        for _ in range(1 + self._happens(self.behaviour.repeat_receipt)):
            task = asyncio.create_task(self._receipt(taken))
            self._owed.add(task)
            task.add_done_callback(self._owed.discard)

    async def _receipt(self, taken: Taken) -> None:
        await asyncio.sleep(self._takes(self.behaviour.receipt_ms))
        status = "failed" if self._happens(self.behaviour.undelivered) else "delivered"
        at = datetime.now(UTC).isoformat()
        body = json.dumps({"id": taken.id, "reference": taken.reference, "status": status, "at": at}).encode()
        pause = 0.1
        for _ in range(_RECEIPT_ATTEMPTS):
            timestamp = str(int(datetime.now(UTC).timestamp()))
            headers = {"Signature-Timestamp": timestamp, "Signature": sign(self._secret, timestamp, body)}
            try:
                async with self._client.post(taken.receipts, data=body, headers=headers) as answer:
                    if answer.status < 500:
                        taken.receipted = True
                        self._note("receipt", id=taken.id, status=status, answer=answer.status)
                        return
            except (aiohttp.ClientError, TimeoutError):
                pass
            await asyncio.sleep(pause)
            pause = min(2 * pause, 2.0)

    def _takes(self, median_ms: float) -> float:
        """Seconds, as networks take them: most near the median, some much longer."""
        return self._random.lognormvariate(log(median_ms / 1000), 0.5) if median_ms else 0.0

    def _happens(self, rate: float) -> bool:
        return self._random.random() < rate

    def _note(self, event: str, **said: Any) -> None:
        with self._log.open("a") as log:
            log.write(json.dumps({"event": event, "noted_at": datetime.now(UTC).isoformat(), **said}) + "\n")

    def _remember(self) -> None:
        by_id: dict[str, Taken] = {}
        for line in self._log.read_text().splitlines() if self._log.exists() else ():
            said = json.loads(line)
            if said["event"] == "taken":
                taken = Taken(*(said[name] for name in ("id", "to", "text", "reference", "receipts")))
                by_id[taken.id] = self.taken[said["key"]] = taken
            elif said["event"] == "receipt":
                by_id[said["id"]].receipted = True


class SmsProviderProgram(Program):
    """The provider as a program of its own; its log is `sms.jsonl` in the folder."""

    def __init__(self, folder: Path, *further: str, port: int | None = None) -> None:
        super().__init__("sms", folder)
        self.port = port or free_port()
        self.messages = folder / "sms.jsonl"
        self._further = further

    def command(self) -> Sequence[str | Path]:
        module = "testkit.sms_provider"
        return [sys.executable, "-m", module, "--port", str(self.port), "--log", self.messages, *self._further]

    def ready(self) -> bool:
        return listens(self.port)


def beside(folder: Path) -> Beside:
    """The provider for an embedded stack in the folder, and what notification is told of it."""
    program = SmsProviderProgram(folder.absolute() / "state" / "sms")
    told = {
        "SMS_PROVIDER_URL": f"http://{LOOPBACK}:{program.port}",
        "SMS_PROVIDER_KEY": KEY,
        "SMS_RECEIPT_SECRET": SECRET,
        "RECEIPTS_ADDRESS": f"{LOOPBACK}:{free_port()}",
    }
    return Beside(program, {"notification": told})


def main() -> None:
    parser = argparse.ArgumentParser(description="A simulated SMS provider.")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--log", type=Path, required=True)
    parser.add_argument("--key", default=KEY)
    parser.add_argument("--secret", default=SECRET)
    parser.add_argument("--seed", type=int, default=1)
    usual = Behaviour()
    for name in Behaviour.__dataclass_fields__:
        parser.add_argument(f"--{name.replace('_', '-')}", type=float, default=getattr(usual, name))
    chosen = vars(parser.parse_args())
    behaviour = Behaviour(**{name: chosen.pop(name) for name in Behaviour.__dataclass_fields__})
    asyncio.run(_serve(SmsProvider(behaviour=behaviour, **chosen)))


async def _serve(provider: SmsProvider) -> None:
    stopped = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(name, stopped.set)
    await provider.start()
    print(f"takes messages at {provider.url}/messages", flush=True)
    await stopped.wait()
    await provider.stop()


if __name__ == "__main__":
    main()
