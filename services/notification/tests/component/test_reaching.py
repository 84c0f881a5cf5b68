"""Pushes, webhooks and callbacks arrive once, sealed and signed, where they were asked for; citizens see their list."""

import base64
import hashlib
import hmac
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import http_ece
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from rossio.notification.v1 import notification_pb2 as n
from rossio.notification.v1 import service_pb2 as pb

from .conftest import new_id
from .test_send import ready


class Endpoint:
    """Takes what is posted to it; `status` is what it answers."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, bytes, dict[str, str]]] = []
        self.status = 201
        self.url = ""

    async def take(self, request: web.Request) -> web.Response:
        self.taken.append((request.path, await request.read(), dict(request.headers)))
        return web.Response(status=self.status)

    def at(self, path: str) -> list[tuple[bytes, dict[str, str]]]:
        return [(body, headers) for taken, body, headers in self.taken if taken == path]


@asynccontextmanager
async def endpoint() -> AsyncIterator[Endpoint]:
    made = Endpoint()
    application = web.Application()
    application.router.add_post("/{name}", made.take)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield made
    await runner.cleanup()


def signed_by(secret: str, body: bytes, headers: dict[str, str]) -> bool:
    """Whether it is signed as Standard Webhooks says."""
    said = f"{headers['Webhook-Id']}.{headers['Webhook-Timestamp']}.".encode() + body
    digest = hmac.digest(base64.urlsafe_b64decode(secret + "=="), said, hashlib.sha256)
    return headers["Webhook-Signature"] == f"v1,{base64.b64encode(digest).decode()}"


async def test_devices_and_senders_are_reached_once_sealed_and_signed(stage, until, refused):
    stage.provider()
    program = stage.notification(SEND_WITHIN="PT60S")
    program.start()
    browser, auth = ec.generate_private_key(ec.SECP256R1()), os.urandom(16)
    point = browser.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)

    def coded(raw: bytes) -> str:
        return base64.urlsafe_b64encode(raw).decode().rstrip("=")

    async with endpoint() as outside:
        sender = await ready(stage, program)
        eva = stage.caller(program, "nt-eva")

        async def register(path: str, **keys: str) -> pb.RegisterDeviceResponse:
            request = pb.RegisterDeviceRequest(request_id=new_id(), url=f"{outside.url}/{path}", **keys)
            answer = await eva.stub.RegisterDevice(request)
            assert isinstance(answer, pb.RegisterDeviceResponse)
            return answer

        await register("push", p256dh=coded(point), auth=coded(auth))
        hook = await register("hook")
        callback = pb.SetCallbackRequest(request_id=new_id(), url=f"{outside.url}/callback")
        secret = (await sender.stub.SetCallback(callback)).secret
        key = (await eva.stub.GetPushKey(pb.GetPushKeyRequest())).application_server_key
        channels = [n.CHANNEL_PUSH, n.CHANNEL_WEBHOOK, n.CHANNEL_IN_APP]
        sent = await sender.send(o_que="sangue", to={"person_id": "nt-eva"}, channels=channels, reference="r7")
        ((sealed, headers),) = await until(lambda: outside.at("/push"))
        clear = http_ece.decrypt(sealed, private_key=browser, auth_secret=auth, version="aes128gcm")
        assert json.loads(clear) == {"id": sent, "topic": "service", "title": "Visit: sangue"}
        assert headers["Authorization"].endswith(f"k={key}")
        ((body, headers),) = await until(lambda: outside.at("/hook"))
        assert signed_by(hook.secret, body, headers)
        assert json.loads(body)["title"] == "Visit: sangue"

        def called_back() -> Any:
            told = {(each["channel"], each["status"]): each for each in map(json.loads, bodies())}
            return (
                told if {("webhook", "delivered"), ("push", "sent"), ("in_app", "delivered")} <= told.keys() else None
            )

        def bodies() -> list[bytes]:
            return [body for body, _ in outside.at("/callback")]

        told = await until(called_back)
        assert {(each["notification_id"], each["reference"]) for each in told.values()} == {(sent, "r7")}
        assert all(signed_by(secret, body, headers) for body, headers in outside.at("/callback"))
        assert len({headers["Webhook-Id"] for _, headers in outside.at("/callback")}) == len(outside.at("/callback"))
        assert (await stage.caller(program, "nt-ana").why(sent))[n.CHANNEL_WEBHOOK].status == n.STATUS_DELIVERED

        outside.status = 410
        gone = await sender.send(o_que="x", to={"person_id": "nt-eva"}, channels=[n.CHANNEL_PUSH])
        why = stage.caller(program, "nt-ana").why
        await until(lambda: _is(why, gone, n.STATUS_FAILED))
        outside.status = 201
        later = await why(await sender.send(o_que="x", to={"person_id": "nt-eva"}, channels=[n.CHANNEL_PUSH]))
        assert later[n.CHANNEL_PUSH].reason == "no-address", "a browser that is gone is forgotten"
        remove = pb.RemoveDeviceRequest(request_id=new_id(), device_id=hook.device_id)
        with refused("NOT_FOUND", "DEVICE_NOT_FOUND"):
            await stage.caller(program, "nt-rui").stub.RemoveDevice(remove)
        await eva.stub.RemoveDevice(remove)
        stored = [each async for each in stage.database().collection("devices").find({})]
        assert outside.url not in str(stored)


async def test_a_citizen_sees_what_services_have_sent_them_and_nothing_of_others(stage, refused):
    program = stage.notification(ROLES="api")
    program.start()
    sender = await ready(stage, program)
    for index in range(3):
        to = {"citizen_id": "c-1", "email": "delivered@simulated.invalid", "locale": "pt"}
        await sender.send(o_que=f"n. {index}", to=to)
    await sender.send(o_que="outra", to={"citizen_id": "c-2", "mobile": "+351919999001"})
    citizen = stage.citizen(program, "c-1")
    titles, token = [], ""
    while True:
        page = await citizen.ListMessages(pb.ListMessagesRequest(page_size=2, page_token=token))
        titles += [item.title for item in page.items]
        token = page.next_page_token
        if not token:
            break
    assert titles == [f"Consulta: n. {index}" for index in (2, 1, 0)]
    with refused("PERMISSION_DENIED"):
        await stage.caller(program, "nt-ana").stub.ListMessages(pb.ListMessagesRequest())
    stored = [each async for each in stage.database().collection("notifications").find({})]
    assert "n. 1" not in str(stored), "what is personal is sealed"


async def _is(why, notification_id, status):
    return (await why(notification_id))[n.CHANNEL_PUSH].status == status
