"""The composition root of notification."""

import asyncio
import os
import random
import time

import blobs
import messaging
import service
from rossio.document.v1.events_pb2 import LinkEnding, NodeShared
from rossio.mail.v1.events_pb2 import DeliveryReported
from rossio.mail.v1.service_pb2_grpc import MailServiceStub
from rossio.news.v1.events_pb2 import AcknowledgementDue, PostArchived, PostExpired, PostPublished, PostRetracted
from rossio.notification.v1.events_pb2 import NotificationReported, NotificationRequested
from rossio.notification.v1.service_pb2_grpc import (
    add_BulkServiceServicer_to_server,
    add_NotificationServiceServicer_to_server,
    add_SendServiceServicer_to_server,
)
from service import now

from notification.adapters import (
    broadcasts,
    bulk_store,
    devices,
    limits,
    policies,
    preferences,
    provider_log,
    store,
    suppressions,
    templates,
    vault,
    wire,
)
from notification.adapters.mail import MailRouting
from notification.adapters.outbound import Outbound
from notification.adapters.reaching import Webhook, WebPush
from notification.adapters.smpp.provider import SmppProvider
from notification.adapters.smpp.session import Peer
from notification.adapters.unsubscribing import UnsubscribeLinks
from notification.adapters.web_push import Vapid
from notification.application.announce import Announce
from notification.application.approve_template import ApproveTemplate
from notification.application.call_back import CallBack
from notification.application.control_bulk import ControlBulk
from notification.application.deciding import Deciding
from notification.application.expire_messages import ExpireMessages
from notification.application.lift_suppression import LiftSuppression
from notification.application.list_inbox import ListInbox
from notification.application.list_messages import ListMessages
from notification.application.list_preferences import ListPreferences
from notification.application.list_provider_steps import ListProviderSteps
from notification.application.list_templates import ListTemplates
from notification.application.mark_read import MarkRead
from notification.application.notify_people import NotifyPeople
from notification.application.pool import Pool
from notification.application.ports import Provider
from notification.application.preview_template import PreviewTemplate
from notification.application.put_template import PutTemplate
from notification.application.rates import Rating
from notification.application.reading import Broadcasted
from notification.application.record_mail_outcome import RecordMailOutcome
from notification.application.record_receipt import RecordReceipt
from notification.application.record_sms_receipt import RecordSmsReceipt
from notification.application.register_device import RegisterDevice
from notification.application.release_due import ReleaseDue
from notification.application.right_of_way import RightOfWay
from notification.application.run_bulk import RunBulk
from notification.application.send import Send
from notification.application.send_message import SendMessage
from notification.application.send_prescription import SendPrescription
from notification.application.set_digest import SetDigest
from notification.application.set_policy import SetPolicy
from notification.application.set_preference import SetPreference
from notification.application.set_quiet_hours import SetQuietHours
from notification.application.start_bulk import StartBulk
from notification.application.steer_providers import SteerProviders
from notification.application.tell_watchers import TellWatchers
from notification.application.unsealing import Unsealing
from notification.application.unsubscribe import Unsubscribe
from notification.application.watch_inbox import WatchInbox
from notification.application.watch_statuses import WatchStatuses
from notification.application.watchers import Watchers
from notification.application.why import Why
from notification.application.withdraw import Withdraw
from notification.domain.broadcast import Broadcasts
from notification.domain.vocabulary import Channel, Lane
from notification.entrypoints.bulk_grpc import BulkServicer, BulkUseCases
from notification.entrypoints.consumers import Reactions, Reports, Requests
from notification.entrypoints.follower import InboxFollower
from notification.entrypoints.grpc import NotificationServicer, UseCases
from notification.entrypoints.send_grpc import SendServicer, SendUseCases
from notification.settings import Settings

# Slow providers hold up workers, which mostly wait; a provider's window has places that are not for bulk.
_CONCURRENCY = {Lane.EMERGENCY: 128, Lane.TRANSACTIONAL: 256, Lane.BULK: 64}
ROLES = ("api", "react", "send", "receipts", "expire", "release", "bulk")


class Parts:
    """What every role of a process is made of."""

    def __init__(self, app: service.App[Settings]) -> None:
        settings = app.settings
        master = master_key(settings)
        told = app.collection("notifications", store.INDEXES, grouped=True)
        broadcasted = app.collection("broadcasts", broadcasts.INDEXES)
        chosen = app.collection("preferences", preferences.INDEXES)
        set_by_entities = app.collection("policies", policies.INDEXES)
        suppressed = app.collection("suppressions", suppressions.INDEXES)
        written = app.collection("templates", templates.INDEXES)
        registered = app.collection("devices", devices.INDEXES)
        jobs = app.collection("bulk_jobs", bulk_store.JOB_INDEXES)
        marks = app.collection("broadcast_marks", broadcasts.MARK_INDEXES)
        app.relay(told, jobs, registered, broadcasted, marks, chosen, set_by_entities, suppressed, written)
        self.notifications = store.StoredNotifications(told, app.producer.publish)
        self.broadcasts = broadcasts.StoredBroadcasts(broadcasted, marks)
        self.preferences = preferences.StoredPreferences(chosen)
        self.policies = policies.StoredPolicies(set_by_entities)
        self.suppressions = suppressions.StoredSuppressions(suppressed, master)
        self.templates = templates.StoredTemplates(written)
        self.vault = vault.KeyVault(app.collection("keys", vault.INDEXES), master)
        self.links = UnsubscribeLinks(settings.unsubscribe_url, master)
        self.provider_log = provider_log.StoredProviderLog(
            app.collection("provider_minutes", provider_log.MINUTE_INDEXES),
            app.collection("provider_shares"),
            app.collection("provider_steps", provider_log.STEP_INDEXES),
            prompt=settings.provider_prompt,
        )
        self.jobs = bulk_store.StoredJobs(jobs, app.collection("bulk_chunks", bulk_store.CHUNK_INDEXES), self.vault)
        self.limits = limits.StoredLimits(app.collection("rate_counters", limits.INDEXES))
        self.record_receipt = RecordReceipt(self.notifications, self.provider_log.count, settings.provider_prompt)
        self.devices = devices.StoredDevices(registered, self.vault)
        self.vapid = Vapid(master, settings.push_contact)
        self.deciding = Deciding(self.preferences, self.policies, self.suppressions, self.devices)
        self.view = app.feed().view


def master_key(settings: Settings) -> bytes:
    if settings.vault_key is not None:
        return blobs.master_key(settings.vault_key.get_secret_value())
    return blobs.master_key_file(settings.data_path / "vault.key")


def build(app: service.App[Settings]) -> None:
    """Wires one process."""
    parts = Parts(app)
    if app.plays("api"):
        serve(app, parts)
    if app.plays("react"):
        react(app, parts)
    if app.plays("send"):
        send(app, parts)
    if app.plays("receipts") and app.settings.sms_receipt_secret is not None:
        take_receipts(app, parts, app.settings.sms_receipt_secret.get_secret_value())
    if app.plays("expire"):
        app.chore("expiry", app.settings.expiry_every.total_seconds(), ExpireMessages(parts.notifications))
    if app.plays("bulk"):
        app.chore("bulk jobs", app.settings.bulk_every.total_seconds(), bulk(app, parts))
    if app.plays("release"):
        release = ReleaseDue(parts.notifications, parts.vault, parts.suppressions, parts.view, app.settings.periods)
        app.chore("release", app.settings.due_every.total_seconds(), release)


def serve(app: service.App[Settings], parts: Parts) -> None:
    """The gRPC service, and what keeps its readers and watchers up to date."""
    live, watchers, senders = Broadcasts(), Watchers(), Watchers()
    tell = TellWatchers(parts.notifications, parts.broadcasts, live, watchers, parts.notifications, senders)
    app.add(InboxFollower(app.kafka, tell), "follower")
    broadcasted = Broadcasted(parts.view, live, parts.broadcasts, parts.preferences)
    settings, unsealing = app.settings, Unsealing(parts.vault)
    use_cases = UseCases(
        list_inbox=ListInbox(parts.notifications, broadcasted, unsealing),
        watch_inbox=WatchInbox(parts.notifications, parts.broadcasts, broadcasted, watchers, unsealing),
        mark_read=MarkRead(parts.notifications, parts.broadcasts, broadcasted),
        list_preferences=ListPreferences(parts.preferences),
        set_preference=SetPreference(parts.preferences),
        list_messages=ListMessages(parts.notifications, unsealing),
        register_device=RegisterDevice(parts.devices, os.urandom),
        set_quiet_hours=SetQuietHours(parts.preferences),
        set_digest=SetDigest(parts.preferences),
        send_prescription=SendPrescription(
            parts.notifications, parts.vault, settings.lengths, settings.prescription_expiry, settings.periods
        ),
        why=Why(parts.notifications, parts.preferences, parts.view, live),
    )
    app.grpc(
        NotificationServicer(use_cases, push_key=parts.vapid.public_key, private=settings.outbound_private),
        add_NotificationServiceServicer_to_server,
        "rossio.notification.v1.NotificationService",
    )
    app.grpc(
        SendServicer(sending(settings, parts, senders), private=settings.outbound_private),
        add_SendServiceServicer_to_server,
        "rossio.notification.v1.SendService",
    )
    start = StartBulk(parts.jobs, parts.templates, parts.view, settings.periods, settings.sms_rules, messaging.new_id)
    app.grpc(
        BulkServicer(BulkUseCases(start, ControlBulk(parts.jobs))),
        add_BulkServiceServicer_to_server,
        "rossio.notification.v1.BulkService",
    )


def sending(settings: Settings, parts: Parts, senders: Watchers) -> SendUseCases:
    """What senders can do."""
    rules = settings.sms_rules
    return SendUseCases(
        send=Send(
            parts.notifications,
            parts.templates,
            parts.vault,
            parts.deciding,
            parts.view,
            settings.periods,
            rules,
            Rating(parts.limits, settings.rates),
            messaging.new_id,
        ),
        watch_statuses=WatchStatuses(parts.notifications, senders),
        register_device=RegisterDevice(parts.devices, os.urandom),
        put_template=PutTemplate(parts.templates, rules),
        approve_template=ApproveTemplate(parts.templates),
        list_templates=ListTemplates(parts.templates),
        preview_template=PreviewTemplate(parts.templates, rules),
        lift_suppression=LiftSuppression(parts.suppressions),
        set_policy=SetPolicy(parts.policies),
        policies=parts.policies,
        list_provider_steps=ListProviderSteps(Channel.SMS, parts.provider_log),
    )


def bulk(app: service.App[Settings], parts: Parts) -> RunBulk:
    """What takes bulk jobs on, chunk by chunk."""
    return RunBulk(
        parts.jobs,
        parts.notifications,
        parts.templates,
        parts.vault,
        parts.deciding,
        parts.view,
        app.settings.periods,
        messaging.new_id,
    )


def react(app: service.App[Settings], parts: Parts) -> None:
    """The consumers of what other services tell."""
    periods = app.settings.periods
    notify_people = NotifyPeople(parts.notifications, parts.deciding, parts.vault, periods, messaging.new_id)
    reactions = Reactions(
        notify_people=notify_people,
        announce=Announce(parts.broadcasts, parts.preferences, notify_people, parts.view, periods, messaging.new_id),
        withdraw=Withdraw(parts.broadcasts, periods, messaging.new_id),
        record_mail_outcome=RecordMailOutcome(parts.notifications, parts.record_receipt, parts.suppressions),
        view=parts.view,
        principal=app.settings.mail_principal,
        now=now,
    )
    app.consumer("mail.delivery.v1", {DeliveryReported: reactions.mail})
    app.consumer("document.file.v1", {NodeShared: reactions.shared, LinkEnding: reactions.link_ending})
    call_back = CallBack(parts.notifications, parts.devices, parts.vault, periods, messaging.new_id)
    app.consumer("notification.message.v1", {NotificationReported: Reports(call_back).tell}, batch=200)
    app.consumer(
        "news.post.v1",
        {
            PostPublished: reactions.published,
            AcknowledgementDue: reactions.acknowledgement_due,
            PostRetracted: reactions.gone,
            PostExpired: reactions.gone,
            PostArchived: reactions.gone,
        },
    )


def send(app: service.App[Settings], parts: Parts) -> None:
    """The workers of the three lanes; each lane is a stream of its own."""
    settings = app.settings
    mail = MailRouting(MailServiceStub(app.channel(settings.mail_routing_address)), settings.mail_sender)
    outbound = app.add(Outbound(private=settings.outbound_private), "outbound")
    push = WebPush(parts.devices, outbound, parts.vapid, os.urandom, now)
    texting = Pool(sms_providers(app, parts), parts.provider_log.count)
    steering = SteerProviders(Channel.SMS, texting, parts.provider_log, settings.steering)
    app.chore("provider steering", settings.steer_every.total_seconds(), steering)
    send_message = SendMessage(
        parts.notifications,
        parts.vault,
        {
            Channel.EMAIL: Pool([mail]),
            Channel.SMS: texting,
            Channel.PUSH: Pool([push]),
            Channel.WEBHOOK: Pool([Webhook(parts.devices, outbound, now)]),
        },
        parts.suppressions,
        parts.view,
        now,
        random.random,
        parts.links.of,
    )
    requests = Requests(send_message, RightOfWay(time.monotonic, asyncio.sleep), now)
    for lane, stream in wire.REQUESTS.items():
        app.consumer(stream, {NotificationRequested: requests.send}, concurrency=_CONCURRENCY[lane])


def sms_providers(app: service.App[Settings], parts: Parts) -> list[Provider]:
    """The one over HTTP, and the message centre where there is one."""
    from notification.adapters.sms import SmsProvider  # noqa: PLC0415 - only who speaks HTTP pays for aiohttp

    settings = app.settings
    over_http = SmsProvider(
        settings.sms_provider_url,
        settings.sms_provider_key.get_secret_value(),
        settings.receipts_url or f"http://{settings.receipts_address}/receipts/sms",
        settings.sms_provider_window,
    )
    providers: list[Provider] = [app.add(over_http, "SMS provider")] if settings.sms_over_http else []
    if settings.smpp_address:
        host, port = service.host_and_port(settings.smpp_address)
        peer = Peer(
            host,
            port,
            settings.smpp_system_id,
            settings.smpp_password.get_secret_value(),
            window=settings.smpp_window,
            enquire_every=settings.smpp_enquire_every.total_seconds(),
        )
        take = RecordSmsReceipt(parts.notifications, parts.record_receipt, now)
        providers.append(app.add(SmppProvider("sms-smpp", peer, settings.smpp_sender, take), "message centre"))
    if not providers:
        raise service.WrongSettings("SMS_OVER_HTTP, SMPP_ADDRESS: one of them is needed to send SMS")
    return providers


def take_receipts(app: service.App[Settings], parts: Parts, secret: str) -> None:
    """The HTTP server for the receipts of providers."""
    from notification.entrypoints.http import Receipts  # noqa: PLC0415 - only who speaks HTTP pays for aiohttp

    unsubscribe = Unsubscribe(parts.notifications, parts.suppressions)
    receipts = Receipts(secret, parts.record_receipt, parts.links, unsubscribe, now)
    app.http(receipts.application(), app.settings.receipts_address, "RECEIPTS_ADDRESS")
    app.chore("receipts counted", app.settings.steer_every.total_seconds(), lambda _: parts.provider_log.flush())


def main() -> None:
    service.run("notification", Settings, build, roles=ROLES)


if __name__ == "__main__":
    main()
