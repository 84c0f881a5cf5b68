"""The composition root of notification."""

import random

import blobs
import messaging
import service
from rossio.document.v1.events_pb2 import LinkEnding, NodeShared
from rossio.mail.v1.events_pb2 import DeliveryReported
from rossio.mail.v1.service_pb2_grpc import MailServiceStub
from rossio.news.v1.events_pb2 import AcknowledgementDue, PostArchived, PostExpired, PostPublished, PostRetracted
from rossio.notification.v1.events_pb2 import NotificationRequested
from rossio.notification.v1.service_pb2_grpc import (
    add_NotificationServiceServicer_to_server,
    add_SendServiceServicer_to_server,
)

from notification.adapters import broadcasts, policies, preferences, store, suppressions, templates, vault, wire
from notification.adapters.mail import MailRouting
from notification.adapters.unsubscribing import UnsubscribeLinks
from notification.application.announce import Announce
from notification.application.approve_template import ApproveTemplate
from notification.application.deciding import Deciding
from notification.application.expire_messages import ExpireMessages
from notification.application.lift_suppression import LiftSuppression
from notification.application.list_inbox import ListInbox
from notification.application.list_preferences import ListPreferences
from notification.application.list_templates import ListTemplates
from notification.application.mark_read import MarkRead
from notification.application.notify_people import NotifyPeople
from notification.application.preview_template import PreviewTemplate
from notification.application.put_template import PutTemplate
from notification.application.reading import Broadcasted
from notification.application.record_mail_outcome import RecordMailOutcome
from notification.application.record_receipt import RecordReceipt
from notification.application.release_due import ReleaseDue
from notification.application.send import Send
from notification.application.send_message import SendMessage
from notification.application.send_prescription import SendPrescription
from notification.application.set_preference import SetPreference
from notification.application.tell_watchers import TellWatchers
from notification.application.unsealing import Unsealing
from notification.application.unsubscribe import Unsubscribe
from notification.application.watch_inbox import WatchInbox
from notification.application.watch_statuses import WatchStatuses
from notification.application.watchers import Watchers
from notification.application.why import Why
from notification.application.withdraw import Withdraw
from notification.domain.broadcast import Broadcasts
from notification.domain.vocabulary import Channel
from notification.entrypoints.clock import Regularly, now
from notification.entrypoints.consumers import Reactions, Requests
from notification.entrypoints.follower import InboxFollower
from notification.entrypoints.grpc import NotificationServicer, UseCases
from notification.entrypoints.send_grpc import SendServicer, SendUseCases
from notification.settings import Settings

ROLES = ("api", "react", "send", "receipts", "expire", "release")


class Parts:
    """What every role of a process is made of."""

    def __init__(self, app: service.App[Settings]) -> None:
        settings = app.settings
        master = master_key(settings)
        told = app.collection("notifications", store.INDEXES)
        broadcasted = app.collection("broadcasts", broadcasts.INDEXES)
        chosen = app.collection("preferences", preferences.INDEXES)
        set_by_entities = app.collection("policies", policies.INDEXES)
        suppressed = app.collection("suppressions", suppressions.INDEXES)
        written = app.collection("templates", templates.INDEXES)
        app.relay(told, broadcasted, chosen, set_by_entities, suppressed, written)
        self.notifications = store.StoredNotifications(told, app.producer.publish)
        self.broadcasts = broadcasts.StoredBroadcasts(
            broadcasted, app.collection("broadcast_marks", broadcasts.MARK_INDEXES)
        )
        self.preferences = preferences.StoredPreferences(chosen)
        self.policies = policies.StoredPolicies(set_by_entities)
        self.suppressions = suppressions.StoredSuppressions(suppressed, master)
        self.templates = templates.StoredTemplates(written)
        self.vault = vault.KeyVault(app.collection("keys", vault.INDEXES), master)
        self.links = UnsubscribeLinks(settings.unsubscribe_url, master)
        self.record_receipt = RecordReceipt(self.notifications, self.vault)
        self.deciding = Deciding(self.preferences, self.policies, self.suppressions)
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
        app.add(Regularly(ExpireMessages(parts.notifications, parts.vault), every=app.settings.expiry_every), "expiry")
    if app.plays("release"):
        app.add(Regularly(ReleaseDue(parts.notifications), every=app.settings.due_every), "release")


def serve(app: service.App[Settings], parts: Parts) -> None:
    """The gRPC service, and what keeps its readers and watchers up to date."""
    live, watchers, senders = Broadcasts(), Watchers(), Watchers()
    tell = TellWatchers(parts.notifications, parts.broadcasts, live, watchers, parts.notifications, senders)
    app.add(InboxFollower(app.kafka, tell), "follower")
    broadcasted = Broadcasted(parts.view, live, parts.broadcasts, parts.preferences)
    settings, unsealing = app.settings, Unsealing(parts.vault)
    use_cases = UseCases(
        list_inbox=ListInbox(parts.notifications, broadcasted, unsealing),
        watch_inbox=WatchInbox(parts.notifications, broadcasted, watchers, unsealing),
        mark_read=MarkRead(parts.notifications, parts.broadcasts, broadcasted),
        list_preferences=ListPreferences(parts.preferences),
        set_preference=SetPreference(parts.preferences),
        send_prescription=SendPrescription(
            parts.notifications, parts.vault, settings.lengths, settings.prescription_expiry, settings.periods
        ),
        why=Why(parts.notifications, parts.preferences, parts.view, live),
    )
    app.grpc(
        NotificationServicer(use_cases),
        add_NotificationServiceServicer_to_server,
        "rossio.notification.v1.NotificationService",
    )
    app.grpc(
        SendServicer(sending(app.settings, parts, senders)),
        add_SendServiceServicer_to_server,
        "rossio.notification.v1.SendService",
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
            messaging.new_id,
        ),
        watch_statuses=WatchStatuses(parts.notifications, senders),
        put_template=PutTemplate(parts.templates, rules),
        approve_template=ApproveTemplate(parts.templates),
        list_templates=ListTemplates(parts.templates),
        preview_template=PreviewTemplate(parts.templates, rules),
        lift_suppression=LiftSuppression(parts.suppressions),
    )


def react(app: service.App[Settings], parts: Parts) -> None:
    """The consumers of what other services tell."""
    periods = app.settings.periods
    notify_people = NotifyPeople(parts.notifications, parts.deciding, periods, messaging.new_id)
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
    from notification.adapters.sms import SmsProvider  # noqa: PLC0415 - only who speaks HTTP pays for aiohttp

    settings = app.settings
    sms = SmsProvider(
        settings.sms_provider_url,
        settings.sms_provider_key.get_secret_value(),
        settings.receipts_url or f"http://{settings.receipts_address}/receipts/sms",
    )
    app.add(sms, "SMS provider")
    mail = MailRouting(MailServiceStub(app.channel(settings.mail_routing_address)), settings.mail_sender)
    send_message = SendMessage(
        parts.notifications,
        parts.vault,
        {Channel.EMAIL: mail, Channel.SMS: sms},
        parts.suppressions,
        parts.view,
        now,
        random.random,
        parts.links.of,
    )
    requests = Requests(send_message)
    for stream in wire.REQUESTS.values():
        app.consumer(stream, {NotificationRequested: requests.send})


def take_receipts(app: service.App[Settings], parts: Parts, secret: str) -> None:
    """The HTTP server for the receipts of providers."""
    from notification.entrypoints.http import Receipts  # noqa: PLC0415 - only who speaks HTTP pays for aiohttp

    unsubscribe = Unsubscribe(parts.notifications, parts.suppressions)
    address = app.settings.receipts_address
    receipts = Receipts(address, secret, parts.record_receipt, parts.links, unsubscribe, now)
    app.add(receipts, "receipts", service.Stage.SERVER)


def main() -> None:
    service.run("notification", Settings, build, roles=ROLES)


if __name__ == "__main__":
    main()
