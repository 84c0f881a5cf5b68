"""Keeps what spaces and entities hold within what they may, whatever dies in between.

A write that adds content is three steps: its bytes are set aside, the node is written with the id of
the charge in it, and the bytes are booked, for which nobody waits. Who dies in between leaves a pending
charge behind; the node tells whether the write was made. It names its last charge only: so before a node
is charged again, the charge that it names is booked.
"""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from itertools import compress
from typing import Final

import telemetry
from errors import Exhausted, Transient
from telemetry import names, points

from document.application.ports import Usages
from document.domain.quota import Charge, Usage, entity, space

_log = telemetry.logger(__name__)

_GIVEN_UP: Final = timedelta(minutes=10)
"""Nobody is still on the way to a write whose bytes were set aside so long ago."""


class Meter:
    """What is held and set aside. A part of the process: its end waits for what is being booked."""

    def __init__(self, usages: Usages, now: Callable[[], datetime]) -> None:
        self.usages = usages
        self._now = now
        self._booking = set[asyncio.Task[None]]()

    async def start(self) -> None:
        """Nothing is being booked yet."""

    async def stop(self) -> None:
        await asyncio.gather(*self._booking)

    async def reserve(self, charges: Sequence[Charge]) -> None:
        """Sets bytes aside for writes of one space.

        Raises:
            Exhausted: QUOTA, the space or the entity would hold more than it may; nothing is set aside.
        """
        holders = charges[0].holders
        reserved = await asyncio.gather(*(self._reserved(holder, charges) for holder in holders))
        if not all(reserved):
            for holder in compress(holders, reserved):
                await self.usages.settle(holder, charges, made=())
            raise _exhausted(holders[reserved.index(False)])
        points.reached("document.quota.reserved")

    async def settle(self, charges: Sequence[Charge], made: Sequence[Charge]) -> None:
        """Books those whose writes were made, and gives back what was set aside for the others."""
        points.reached("document.quota.written")

        async def booked(holder: str) -> None:
            await self.usages.settle(holder, charges, made)
            points.reached("document.quota.booked")

        await asyncio.gather(*map(booked, charges[0].holders))
        for charge in made:
            outcome = "stored" if charge.size > 0 else "freed"
            names.DOCUMENT_BYTES.bind(entity=charge.entity_id or "none", outcome=outcome).inc(abs(charge.size))

    def settle_soon(self, charge: Charge) -> None:
        """Books a charge whose write was made, beside what goes on."""
        booking = asyncio.create_task(self._settled(charge), name="booking")
        self._booking.add(booking)
        booking.add_done_callback(self._booking.discard)

    async def _settled(self, charge: Charge) -> None:
        try:
            await self.settle([charge], made=[charge])
        except Transient as error:
            _log.warning("a charge stays pending", reason=error.reason, charge_id=charge.charge_id)

    async def book(self, space_id: str, entity_id: str, charge_id: str) -> None:
        """Books the charge that a node names, if it is still pending."""
        for holder in (space(space_id), entity(entity_id)):
            usage = await self.usages.of(holder)
            pending = [charge for charge in usage.pending if charge.charge_id == charge_id]
            if pending:
                await self.usages.settle(holder, pending, pending)

    async def usage(self, holder: str) -> Usage:
        """What is held; charges that somebody left behind are resolved first."""
        usage = await self.usages.of(holder)
        for charge in usage.pending:
            made = await self.usages.was_made(charge)
            if made or charge.at < self._now() - _GIVEN_UP:
                await self.usages.settle(holder, [charge], [charge] if made else [])
        return await self.usages.of(holder) if usage.pending else usage

    async def check_room(self, space_id: str, entity_id: str, size: int) -> None:
        """Raises `Exhausted` QUOTA when so many bytes more have no room now, before they are sent."""
        holders = space(space_id), entity(entity_id)
        for holder, usage in zip(holders, await asyncio.gather(*map(self.usages.of, holders)), strict=True):
            if usage.used + size > usage.limit:
                raise _exhausted(holder)

    async def _reserved(self, holder: str, charges: Sequence[Charge]) -> bool:
        if await self.usages.reserve(holder, charges):
            return True
        await self.usage(holder)  # what others left behind may hold room
        return await self.usages.reserve(holder, charges)


def _exhausted(holder: str) -> Exhausted:
    kind = holder.partition(":")[0]
    return Exhausted(f"the {kind} would hold more than it may", reason="QUOTA", of=kind)
