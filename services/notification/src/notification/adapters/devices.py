"""What people and services have registered, in MongoDB: sealed, since whoever has it can write there."""

import json
from collections.abc import Collection as Several
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from errors import Conflict
from rpc import Caller
from store import Collection, Index

from notification.adapters import wire
from notification.adapters.vault import KeyVault
from notification.domain.device import Device
from notification.domain.vocabulary import Channel

INDEXES: Final = (Index(["owner", "channel"]),)


class StoredDevices:
    """`owner` is a person, or who sends and wants to be called back."""

    def __init__(self, devices: Collection, vault: KeyVault) -> None:
        self._devices = devices
        self._vault = vault

    async def channels_of(self, owners: Several[str]) -> Mapping[str, set[Channel]]:
        if not owners:
            return {}
        channels: dict[str, set[Channel]] = {}
        query = {"owner": {"$in": list(owners)}}
        async for found in self._devices.find(query, projection={"owner": True, "channel": True}):
            channels.setdefault(found["owner"], set()).add(Channel(found["channel"]))
        return channels

    async def of(self, owner: str, channel: Channel | None = None) -> list[Device]:
        query = {"owner": owner, **({"channel": channel.value} if channel else {})}
        return [self._device(found) async for found in self._devices.find(query)]

    async def add(self, device: Device, by: Caller, at: datetime) -> Device:
        """Keeps it with an audit record, or returns the one that is there under its id."""
        clear = json.dumps([device.url, device.p256dh, device.auth, device.secret]).encode()
        kept = {
            "_id": device.device_id,
            "owner": device.owner,
            "channel": device.channel.value,
            "sealed": self._vault.wrap(device.device_id, clear),
        }
        audited = wire.audited(
            "notification.device.add", by, resource=device.device_id, at=at, details={"channel": device.channel.value}
        )
        try:
            await self._devices.insert(kept, [audited])
        except Conflict:
            found = await self._devices.get(device.device_id)
            return device if found is None else self._device(found)
        return device

    async def remove(self, owner: str, device_id: str) -> bool:
        return await self._devices.delete(device_id, where={"owner": owner})

    def _device(self, found: Mapping[str, Any]) -> Device:
        clear = self._vault.unwrap(found["_id"], bytes(found["sealed"]))
        url, p256dh, auth, secret = json.loads(clear)
        return Device(found["_id"], found["owner"], Channel(found["channel"]), url, p256dh, auth, secret)
