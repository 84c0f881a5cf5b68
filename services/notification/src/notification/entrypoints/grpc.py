# ruff: noqa: ARG002, N802 - the contract names the methods and their parameters
"""rossio.notification.v1.NotificationService: each method is wire, use case, wire."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import rpc
from rossio.notification.v1 import service_pb2 as pb
from rossio.notification.v1.service_pb2_grpc import NotificationServiceServicer
from service import now

from notification.adapters import wire
from notification.adapters.outbound import must_be_outside
from notification.adapters.pdf import must_fit
from notification.adapters.web_push import Subscription
from notification.application.list_inbox import ListInbox
from notification.application.list_messages import ListMessages
from notification.application.list_preferences import ListPreferences
from notification.application.mark_read import MarkRead
from notification.application.register_device import RegisterDevice
from notification.application.send_prescription import SendPrescription
from notification.application.set_digest import SetDigest
from notification.application.set_preference import SetPreference
from notification.application.set_quiet_hours import SetQuietHours
from notification.application.watch_inbox import WatchInbox
from notification.application.why import Why
from notification.domain.dispensing import Dispensing
from notification.domain.inbox import ReadState
from notification.domain.prescription import Prescription


@dataclass(frozen=True, slots=True)
class UseCases:
    """What the service can do."""

    list_inbox: ListInbox
    watch_inbox: WatchInbox
    mark_read: MarkRead
    list_preferences: ListPreferences
    set_preference: SetPreference
    list_messages: ListMessages
    register_device: RegisterDevice
    set_quiet_hours: SetQuietHours
    set_digest: SetDigest
    send_prescription: SendPrescription
    why: Why


class NotificationServicer(NotificationServiceServicer):
    def __init__(self, use_cases: UseCases, *, push_key: str, private: bool) -> None:
        """`push_key` is our public key at push services; `private` lets devices be in private networks."""
        self._do = use_cases
        self._push_key = push_key
        self._private = private

    async def ListInbox(self, request: pb.ListInboxRequest, context: Any) -> pb.ListInboxResponse:
        before = next(iter(rpc.read_page_token(request)), "")
        page = await self._do.list_inbox(
            rpc.caller(),
            str(before),
            rpc.page_size(request, default=50, most=200),
            unread_only=request.unread_only,
            at=now(),
        )
        return pb.ListInboxResponse(
            items=map(wire.item_message, page.items),
            next_page_token=rpc.page_token(request, page.before) if page.before else "",
            unread=page.unread,
        )

    async def WatchInbox(self, request: pb.WatchInboxRequest, context: Any) -> AsyncIterator[pb.WatchInboxResponse]:
        reads_after = request.reads_after if request.reads else None
        watching = self._do.watch_inbox(rpc.caller(), request.after_item_id, now(), reads_after=reads_after)
        async with aclosing(watching) as told:
            async for each in told:
                if isinstance(each, ReadState):
                    yield pb.WatchInboxResponse(reads=wire.reads_message(each))
                else:
                    yield pb.WatchInboxResponse(item=wire.item_message(each))

    async def MarkRead(self, request: pb.MarkReadRequest, context: Any) -> pb.MarkReadResponse:
        unread = await self._do.mark_read(rpc.caller(), request.item_ids, at=now())
        return pb.MarkReadResponse(unread=unread)

    async def ListPreferences(self, request: pb.ListPreferencesRequest, context: Any) -> pb.ListPreferencesResponse:
        held = await self._do.list_preferences(rpc.caller())
        hours, zone, digests = await self._do.list_preferences.rhythm(rpc.caller())
        return pb.ListPreferencesResponse(
            preferences=[
                wire.preference_message(topic, channel, enabled=on) for (topic, channel), on in sorted(held.items())
            ],
            quiet_hours=wire.quiet_hours_message(hours, zone) if hours else None,
            digests=[wire.digest_message(topic, each) for topic, each in digests.items()],
        )

    async def RegisterDevice(self, request: pb.RegisterDeviceRequest, context: Any) -> pb.RegisterDeviceResponse:
        device_id = rpc.derived_id()
        must_be_outside(request.url, private=self._private)
        if request.p256dh:
            Subscription(request.url, request.p256dh, request.auth).must_be_sound()
            await self._do.register_device.browser(
                rpc.caller(), request.url, request.p256dh, request.auth, device_id=device_id, at=now()
            )
            return pb.RegisterDeviceResponse(device_id=device_id)
        hook = await self._do.register_device.webhook(rpc.caller(), request.url, device_id=device_id, at=now())
        return pb.RegisterDeviceResponse(device_id=device_id, secret=hook.secret)

    async def RemoveDevice(self, request: pb.RemoveDeviceRequest, context: Any) -> pb.RemoveDeviceResponse:
        await self._do.register_device.remove(rpc.caller(), request.device_id)
        return pb.RemoveDeviceResponse()

    async def GetPushKey(self, request: pb.GetPushKeyRequest, context: Any) -> pb.GetPushKeyResponse:
        return pb.GetPushKeyResponse(application_server_key=self._push_key)

    async def ListMessages(self, request: pb.ListMessagesRequest, context: Any) -> pb.ListMessagesResponse:
        before = str(next(iter(rpc.read_page_token(request)), ""))
        limit = rpc.page_size(request, default=50, most=200)
        items, following = await self._do.list_messages(rpc.caller(), before, limit)
        return pb.ListMessagesResponse(
            items=map(wire.item_message, items),
            next_page_token=rpc.page_token(request, following) if following else "",
        )

    async def SetQuietHours(self, request: pb.SetQuietHoursRequest, context: Any) -> pb.SetQuietHoursResponse:
        hours = wire.quiet_hours(request.quiet_hours)
        await self._do.set_quiet_hours(rpc.caller(), hours, request.quiet_hours.zone, now())
        return pb.SetQuietHoursResponse()

    async def SetDigest(self, request: pb.SetDigestRequest, context: Any) -> pb.SetDigestResponse:
        wanted = request.digest
        await self._do.set_digest(rpc.caller(), wire.topic(wanted.topic), wire.digest(wanted.period), now())
        return pb.SetDigestResponse()

    async def SetPreference(self, request: pb.SetPreferenceRequest, context: Any) -> pb.SetPreferenceResponse:
        wanted = request.preference
        await self._do.set_preference(
            rpc.caller(), wire.topic(wanted.topic), wire.channel(wanted.channel), enabled=wanted.enabled, at=now()
        )
        return pb.SetPreferenceResponse(preference=wanted)

    async def SendPrescription(self, request: pb.SendPrescriptionRequest, context: Any) -> pb.SendPrescriptionResponse:
        prescription = Prescription(
            number=request.prescription_number,
            access_code=request.access_code,
            option_code=request.option_code,
            mobile=request.mobile,
            email=request.email,
            guide=request.guide,
            locale=request.locale,
        )
        if request.email:
            must_fit(request.guide)
        notification_id = rpc.derived_id()
        await self._do.send_prescription(rpc.caller(), prescription, notification_id=notification_id, at=now())
        return pb.SendPrescriptionResponse(notification_id=notification_id)

    async def SendDispensingNotice(
        self, request: pb.SendDispensingNoticeRequest, context: Any
    ) -> pb.SendDispensingNoticeResponse:
        notice = Dispensing(request.prescription_number, request.mobile, request.pharmacy, request.locale)
        notification_id = rpc.derived_id()
        await self._do.send_prescription(rpc.caller(), notice, notification_id=notification_id, at=now())
        return pb.SendDispensingNoticeResponse(notification_id=notification_id)

    async def Why(self, request: pb.WhyRequest, context: Any) -> pb.WhyResponse:
        dispatches = await self._do.why(rpc.caller(), request.notification_id)
        return pb.WhyResponse(decisions=map(wire.decision_message, dispatches))
