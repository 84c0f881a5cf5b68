"""Use cases: a person registers where they want to be reached, and a sender where it is called back."""

import base64
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from errors import NotFound
from rpc import Caller

from notification.application.ports import Devices
from notification.domain.device import Device, callback_owner
from notification.domain.vocabulary import Channel

_SECRET_OCTETS = 32


@dataclass(frozen=True, slots=True)
class RegisterDevice:
    devices: Devices
    random: Callable[[int], bytes]

    async def browser(
        self, caller: Caller, url: str, p256dh: str, auth: str, *, device_id: str, at: datetime
    ) -> Device:
        """A browser that takes pushes; `device_id` follows from the request."""
        device = Device(device_id, caller.subject, Channel.PUSH, url, p256dh, auth)
        return await self.devices.add(device, caller, at)

    async def webhook(self, caller: Caller, url: str, *, device_id: str, at: datetime) -> Device:
        """An address of a program of the caller's, with a fresh secret."""
        return await self._hook(caller, caller.subject, url, device_id, at)

    async def callback(self, caller: Caller, url: str, *, device_id: str, at: datetime) -> Device:
        """Where a sender is told what becomes of its messages, instead of wherever it was before."""
        owner = callback_owner(caller.subject)
        kept = await self._hook(caller, owner, url, device_id, at)
        for each in await self.devices.of(owner):
            if each.device_id != device_id:
                await self.devices.remove(owner, each.device_id)
        return kept

    async def remove(self, caller: Caller, device_id: str) -> None:
        """Raises NotFound for a device that is none of the caller's."""
        if not await self.devices.remove(caller.subject, device_id):
            raise NotFound("there is no such device", reason="DEVICE_NOT_FOUND")

    async def _hook(self, caller: Caller, owner: str, url: str, device_id: str, at: datetime) -> Device:
        secret = base64.urlsafe_b64encode(self.random(_SECRET_OCTETS)).rstrip(b"=").decode()
        return await self.devices.add(Device(device_id, owner, Channel.WEBHOOK, url, secret=secret), caller, at)
