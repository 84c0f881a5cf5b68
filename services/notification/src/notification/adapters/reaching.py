"""The push and webhook channels: every device that somebody has registered."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from datetime import datetime

from errors import Invalid, Transient

from notification.adapters.outbound import Outbound
from notification.adapters.web_push import Subscription, Vapid, encrypt
from notification.application.ports import AddressGone, Devices, NotTaken
from notification.domain.device import Device
from notification.domain.texts import Message, Submission
from notification.domain.vocabulary import Channel, Lane

_KEPT_SECONDS = 24 * 3600


class _Reaching:
    """Posts to each device of somebody; it is enough that one takes it, and those that are gone are forgotten."""

    idempotent = True

    def __init__(self, channel: Channel, devices: Devices) -> None:
        self._channel = channel
        self._devices = devices

    async def submit(self, message: Message, submission: Submission) -> str:
        failure: Invalid | Transient | None = None
        taken = ""
        for device in await self._devices.of(message.to, self._channel):
            try:
                await self.post(device, message, submission)
                taken = device.device_id
            except AddressGone:
                await self._devices.remove(device.owner, device.device_id)
            except (Invalid, Transient) as error:
                failure = error if failure is None or isinstance(failure, NotTaken) else failure
        if taken:
            return taken
        raise failure or AddressGone("no device is left", reason="ENDPOINT_GONE")

    async def post(self, device: Device, message: Message, submission: Submission) -> None:
        raise NotImplementedError


class WebPush(_Reaching):
    """A push that waits at its service is replaced by one with the same Topic (RFC 8030, 5.4): the same key again."""

    name = "web-push"
    confirms = False

    def __init__(
        self,
        devices: Devices,
        outbound: Outbound,
        vapid: Vapid,
        random: Callable[[int], bytes],
        now: Callable[[], datetime],
    ) -> None:
        super().__init__(Channel.PUSH, devices)
        self._outbound = outbound
        self._vapid = vapid
        self._random = random
        self._now = now

    async def post(self, device: Device, message: Message, submission: Submission) -> None:
        sealed = encrypt(
            _notice(message, submission), Subscription(device.url, device.p256dh, device.auth), self._random
        )
        headers = {
            "Content-Encoding": "aes128gcm",
            "Content-Type": "application/octet-stream",
            "TTL": str(_KEPT_SECONDS),
            "Urgency": "high" if submission.lane is Lane.EMERGENCY else "normal",
            "Topic": hashlib.sha256(submission.key.encode()).hexdigest()[:32],
            "Authorization": self._vapid.authorization(device.url, self._now()),
        }
        await self._outbound.post(device.url, sealed, headers)


class Webhook(_Reaching):
    """Signed as Standard Webhooks has it: HMAC-SHA256 over id, timestamp and body; the id is the key."""

    name = "webhook"
    # It has answered: more becomes of no message.
    confirms = True

    def __init__(self, devices: Devices, outbound: Outbound, now: Callable[[], datetime]) -> None:
        super().__init__(Channel.WEBHOOK, devices)
        self._outbound = outbound
        self._now = now

    async def post(self, device: Device, message: Message, submission: Submission) -> None:
        # What has no subject is no notice, but says itself what it is.
        body = _notice(message, submission) if message.subject else message.text.encode()
        timestamp = str(int(self._now().timestamp()))
        await self._outbound.post(
            device.url,
            body,
            {
                "Content-Type": "application/json",
                "Webhook-Id": submission.key,
                "Webhook-Timestamp": timestamp,
                "Webhook-Signature": f"v1,{sign(device.secret, submission.key, timestamp, body)}",
            },
        )


def _notice(message: Message, submission: Submission) -> bytes:
    said = {"id": submission.notification_id, "topic": submission.topic.value, "title": message.subject}
    return json.dumps(said, ensure_ascii=False).encode()


def sign(secret: str, key: str, timestamp: str, body: bytes) -> str:
    """The signature in base64; the secret is base64url."""
    signed = f"{key}.{timestamp}.".encode() + body
    return base64.b64encode(hmac.digest(base64.urlsafe_b64decode(secret + "=="), signed, hashlib.sha256)).decode()
