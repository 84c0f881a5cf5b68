"""The lanes beside each other: an emergency behind a bulk, a bulk taken in, a service that sends while providers fail.

Everything is real but the providers, which are simulated with realistic latencies, as programs of their own: one over
HTTP, slow, and one over SMPP, which refuses. What counts is when they note that they have a message.
BENCH_BULK is the number of messages in the bulk (126,683: everybody), BENCH_A_SECOND how many a service sends.
"""

import asyncio
import base64
import json
import os
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from statistics import quantiles
from typing import Any
from uuid import uuid4

import messaging
import rpc
import store
from devstack.issuer import Issuer
from devstack.kafka import Kafka
from devstack.mongo import Mongo
from devstack.program import free_port
from devstack.services import SERVICES, ServiceProgram, Surroundings
from rossio.notification.v1 import bulk_pb2, template_pb2
from rossio.notification.v1 import notification_pb2 as n
from rossio.notification.v1 import service_pb2 as pb
from rossio.notification.v1.service_pb2_grpc import BulkServiceStub, SendServiceStub
from store import Insert
from testkit.sms_provider import KEY, SECRET, SmsProviderProgram
from testkit.smsc import PASSWORD, SYSTEM_ID, SmscProgram

BULK = int(os.environ.get("BENCH_BULK", "126683"))
EMERGENCIES = 100
A_SECOND, SECONDS = int(os.environ.get("BENCH_A_SECOND", "200")), 20
_CHUNK = 500
_ROLES = ("sender", "author", "approver", "bulk", "emergency")


class Installation:
    """A broker, a store, two providers, and processes of notification."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.kafka, self.mongo = Kafka(folder / "kafka"), Mongo(folder / "mongo")
        self.issuer = Issuer(folder / "issuer")
        self.http = SmsProviderProgram(folder / "http", "--latency-ms", "1500", "--receipt-ms", "500")
        self.centre = SmscProgram(folder / "smsc", "--latency-ms", "40", "--throttle", "0.3", "--receipt-ms", "500")
        self._programs: list[Any] = []

    async def start(self) -> None:
        for program in (self.kafka, self.mongo, self.http, self.centre):
            await asyncio.to_thread(program.start)
            self._programs.append(program)
        await messaging.ensure_topics(self.kafka.bootstrap)

    def process(self, roles: str) -> ServiceProgram:
        (service,) = (each for each in SERVICES if each.name == "notification")
        told = {
            "ROLES": roles,
            "VAULT_KEY": base64.b64encode(bytes(32)).decode(),
            "SMS_PROVIDER_URL": f"http://127.0.0.1:{self.http.port}",
            "SMS_PROVIDER_KEY": KEY,
            "SMS_RECEIPT_SECRET": SECRET,
            "RECEIPTS_ADDRESS": f"127.0.0.1:{free_port()}",
            "SMPP_ADDRESS": f"127.0.0.1:{self.centre.port}",
            "SMPP_SYSTEM_ID": SYSTEM_ID,
            "SMPP_PASSWORD": PASSWORD,
            "RATE_RECIPIENT_AN_HOUR": "0",
            "RATE_SERVICE_A_MINUTE": "0",
        }
        surroundings = Surroundings(self.kafka.bootstrap, self.mongo.uri, self.issuer)
        folder = self.folder / f"notification-{len(self._programs)}"
        program = ServiceProgram(service, folder, surroundings, settings=told)
        self._programs.append(program)
        return program

    def token(self, subject: str) -> str:
        return self.issuer.token(subject, entity="e01", roles=[f"notification.{role}" for role in _ROLES])

    def stop(self) -> None:
        for program in reversed(self._programs):
            program.kill()

    def taken(self) -> dict[str, datetime]:
        """Text -> when a provider had it."""
        found = {}
        for log in (self.http.messages, self.centre.messages):
            for line in log.read_text().splitlines() if log.exists() else ():
                said = json.loads(line)
                if said["event"] == "taken":
                    found[said["text"]] = datetime.fromisoformat(said["noted_at"])
        return found


@asynccontextmanager
async def stub(
    installation: Installation, api: ServiceProgram, kind: Any, subject: str = "bench"
) -> AsyncIterator[Any]:
    async with rpc.channel(api.grpc, token=lambda: installation.token(subject)) as channel:
        yield kind(channel)


async def templates(installation: Installation, api: ServiceProgram) -> None:
    async with (
        stub(installation, api, SendServiceStub) as author,
        stub(installation, api, SendServiceStub, "other") as approver,
    ):
        for name, topic in (("aviso", n.TOPIC_SERVICE), ("alerta", n.TOPIC_ALERT)):
            text = template_pb2.TemplateText(locale="pt-PT", title="((x))", sms="((x))")
            variable = template_pb2.Variable(name="x", kind=template_pb2.VARIABLE_KIND_TEXT)
            await author.PutTemplate(
                pb.PutTemplateRequest(
                    request_id=uuid4().hex, name=name, topic=topic, variables=[variable], texts=[text]
                )
            )
            await approver.ApproveTemplate(pb.ApproveTemplateRequest(request_id=uuid4().hex, name=name, version=1))


async def enqueue(installation: Installation, api: ServiceProgram) -> float:
    """Messages a second, from the request to the last one taken in, the check of the table included."""
    rows = "\n".join(f"+35191{number % 10_000_000:07},bulk {number}" for number in range(BULK))
    begun = time.monotonic()
    async with stub(installation, api, BulkServiceStub) as client:
        request = bulk_pb2.StartBulkRequest(
            request_id=uuid4().hex,
            template="aviso",
            channels=[n.CHANNEL_SMS],
            table=f"mobile,x\n{rows}\n".encode(),
        )
        job = (await client.StartBulk(request, timeout=600)).job
        while job.state != bulk_pb2.BULK_STATE_DONE:
            await asyncio.sleep(0.2)
            job = (await client.GetBulk(bulk_pb2.GetBulkRequest(job_id=job.job_id), timeout=60)).job
    return BULK / (time.monotonic() - begun)


async def raw(installation: Installation) -> float:
    """Documents a second of the same size, written in bulk to the same store by the same driver, with nothing else."""
    database = store.connect(installation.mongo.uri, "rossio_notification")
    sample = await anext(database.collection("notifications").find({}, limit=1))
    raws, number = database.collection("raw"), min(BULK, 20_000)
    begun = time.monotonic()
    for start in range(0, number, _CHUNK):
        await raws.bulk([Insert({**sample, "_id": f"raw-{start + each}"}) for each in range(_CHUNK)])
    rate = number / (time.monotonic() - begun)
    await database.close()
    return rate


async def send(client: Any, name: str, text: str, number: int, lane: n.Lane.ValueType) -> tuple[str, datetime]:
    begun = datetime.now(UTC)
    to = pb.Addressee(mobile=f"+35192{number:07}")
    await client.Send(
        pb.SendRequest(
            request_id=uuid4().hex,
            template=name,
            personalisation={"x": text},
            to=to,
            lane=lane,
            channels=[n.CHANNEL_SMS],
        ),
        timeout=60,
    )
    return text, begun


async def paced(
    installation: Installation, api: ServiceProgram, name: str, lane: n.Lane.ValueType, count: int, a_second: float
) -> tuple[list[float], float]:
    """How long each took to be with a provider, in seconds; and how many a second were really sent."""
    async with stub(installation, api, SendServiceStub) as client:
        begun, calls = time.monotonic(), []
        for number in range(count):
            await asyncio.sleep(max(0.0, begun + number / a_second - time.monotonic()))
            calls.append(asyncio.create_task(send(client, name, f"{name} {number}", number, lane)))
        answers = await asyncio.gather(*calls, return_exceptions=True)
        rate = count / (time.monotonic() - begun)
    sent = dict(each for each in answers if not isinstance(each, BaseException))
    deadline = time.monotonic() + 120
    taken: dict[str, datetime] = {}
    while time.monotonic() < deadline:
        taken = installation.taken()
        if sent.keys() <= taken.keys():
            break
        await asyncio.sleep(1)
    never = datetime.max.replace(tzinfo=UTC)
    waits = [(taken.get(text, never) - at).total_seconds() for text, at in sent.items()]
    return waits + [float("inf")] * (count - len(sent)), rate  # who got no answer in time waits for ever


async def bench(installation: Installation) -> list[dict[str, Any]]:
    await installation.start()
    api = installation.process("api,bulk")
    await asyncio.to_thread(api.start)
    await templates(installation, api)
    enqueued = await enqueue(installation, api)
    written = await raw(installation)
    worker = installation.process("send,receipts,release")
    await asyncio.to_thread(worker.start)
    emergencies, _ = await paced(installation, api, "alerta", n.LANE_EMERGENCY, EMERGENCIES, 4)
    p99 = quantiles(emergencies, n=100)[98]
    count = A_SECOND * SECONDS
    waits, rate = await paced(installation, api, "aviso", n.LANE_TRANSACTIONAL, count, A_SECOND)
    in_time = sum(each <= 10 for each in waits) / len(waits)
    load = f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"

    def row(metric: str, ours: float, unit: str, aim: str, note: str, peer: float | None = None) -> dict[str, Any]:
        figures = {"ours": ours, "peer": peer, "ratio": ours / peer if peer else None}
        return {"metric": metric, **figures, "unit": unit, "aim": aim, "note": f"{note}; {load}"}

    return [
        row("emergency p99 s", p99, "s", "< 10", f"{EMERGENCIES} submitted behind a bulk of {BULK:,}"),
        row("transactional within 10 s", in_time, "share", ">= 0.95", f"{rate:.0f}/s; HTTP: 1.5 s, SMPP refuses 30 %"),
        row("bulk enqueue", enqueued, "messages/s", ">= 2,000", "peer: raw bulk writes of the same documents", written),
    ]


def measure() -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as folder:
        installation = Installation(Path(folder))
        try:
            return asyncio.run(bench(installation))
        finally:
            installation.stop()
