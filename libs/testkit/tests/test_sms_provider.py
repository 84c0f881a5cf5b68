"""The simulated SMS provider keeps to its protocol, also when it fails on purpose and after it was killed."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from testkit.sms_provider import KEY, SECRET, Behaviour, SmsProvider, SmsProviderProgram, sign

QUICK = {"latency_ms": 0, "receipt_ms": 1}


class Customer:
    """Submits messages, and takes receipts."""

    def __init__(self) -> None:
        self.receipts: list[dict[str, str]] = []
        self.answers = [200]

    async def start(self) -> None:
        application = web.Application()
        application.router.add_post("/receipts", self._take)
        self._runner = web.AppRunner(application)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/receipts"
        self._client = aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True))

    async def stop(self) -> None:
        await self._client.close()
        await self._runner.cleanup()

    async def submit(self, url: str, key: str, *, bearer: str = KEY, **said: str) -> tuple[int, dict[str, str]]:
        message = {"to": "+351912345678", "text": "Olá", "reference": key, "receipts": self.url, **said}
        headers = {"Authorization": f"Bearer {bearer}", "Idempotency-Key": key}
        async with self._client.post(f"{url}/messages", json=message, headers=headers) as answer:
            return answer.status, await answer.json()

    async def _take(self, request: web.Request) -> web.Response:
        body = await request.read()
        assert request.headers["Signature"] == sign(SECRET, request.headers["Signature-Timestamp"], body)
        status = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if status == 200:
            self.receipts.append(json.loads(body))
        return web.Response(status=status)

    async def receipted(self, count: int) -> list[dict[str, str]]:
        async with asyncio.timeout(30):
            while len(self.receipts) < count:
                await asyncio.sleep(0.01)
        return self.receipts


@pytest.fixture
async def customer() -> AsyncIterator[Customer]:
    customer = Customer()
    await customer.start()
    yield customer
    await customer.stop()


async def test_a_key_is_one_message_and_its_receipt_comes_until_it_is_taken(customer: Customer, tmp_path: Path):
    provider = SmsProvider(tmp_path / "sms.jsonl", behaviour=Behaviour(**QUICK))
    await provider.start()
    customer.answers = [500, 503, 200]
    assert await customer.submit(provider.url, "k1") == (202, {"id": "sms-1"})
    assert await customer.submit(provider.url, "k1", text="another") == (200, {"id": "sms-1"})
    assert (await customer.submit(provider.url, "k2", bearer="wrong"))[0] == 401
    assert (await customer.submit(provider.url, "k3", to="912"))[0] == 422
    (receipt,) = await customer.receipted(1)
    assert (receipt["id"], receipt["reference"], receipt["status"]) == ("sms-1", "k1", "delivered")
    await provider.stop()
    events = [json.loads(line)["event"] for line in (tmp_path / "sms.jsonl").read_text().splitlines()]
    assert events == ["taken", "repeated", "receipt"] or events == ["taken", "receipt", "repeated"]


async def test_it_fails_as_asked_and_takes_what_it_does_not_answer(customer: Customer, tmp_path: Path):
    provider = SmsProvider(tmp_path / "sms.jsonl", behaviour=Behaviour(**QUICK, lose_answer=1, undelivered=1))
    await provider.start()
    with pytest.raises(aiohttp.ClientError):
        await customer.submit(provider.url, "k1")
    assert list(provider.taken) == ["k1"]
    assert (await customer.receipted(1))[0]["status"] == "failed"
    provider.behaviour = Behaviour(**QUICK, refuse=1)
    assert (await customer.submit(provider.url, "k2"))[0] == 503
    assert list(provider.taken) == ["k1"]
    await provider.stop()


async def test_killed_and_started_again_it_knows_its_keys_and_owes_its_receipts(customer: Customer, tmp_path: Path):
    program = SmsProviderProgram(tmp_path, "--latency-ms", "0", "--receipt-ms", "600000")
    program.start()
    url = f"http://127.0.0.1:{program.port}"
    assert (await customer.submit(url, "k1"))[0] == 202
    program.kill()
    again = SmsProviderProgram(tmp_path, "--latency-ms", "0", "--receipt-ms", "1", port=program.port)
    again.start()
    assert await customer.submit(url, "k1") == (200, {"id": "sms-1"})
    assert (await customer.receipted(1))[0]["reference"] == "k1"
    again.kill()
