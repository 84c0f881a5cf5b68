"""mail-routing: settings -> adapters -> use cases -> entrypoints. Roles: smtp, submission, api, worker, retry."""

import base64
import random
import secrets
import time
from datetime import timedelta
from itertools import chain

import messaging
import rpc
import service
import store
from rossio.mail.v1 import events_pb2, moderation_pb2_grpc, queue_pb2_grpc, service_pb2_grpc
from service import now

from mail_routing.adapters import documents, hops, wire
from mail_routing.adapters.accepted_log import KafkaAcceptedLog
from mail_routing.adapters.access import (
    APP_PASSWORD_INDEXES,
    DELEGATION_INDEXES,
    StoredAppPasswords,
    StoredDelegations,
)
from mail_routing.adapters.audit import PublishedAudit
from mail_routing.adapters.contents import BlobContents
from mail_routing.adapters.directory import ViewDirectory
from mail_routing.adapters.hasher import Argon2Hasher
from mail_routing.adapters.maildir import Maildir
from mail_routing.adapters.moderation_store import StoredModerated
from mail_routing.adapters.mx import MailExchangers, resolver
from mail_routing.adapters.past import StreamedPast
from mail_routing.adapters.queue_store import StoredQueue
from mail_routing.adapters.rule_store import LiveBooks, StoredShelves
from mail_routing.adapters.smtp_client import Shape, SmtpClient
from mail_routing.adapters.store import INDEXES, StoredContentUsers, StoredDeliveries, StoredEnded, StoredQuarantine
from mail_routing.application.accept import Accept, AcceptLimits
from mail_routing.application.after_moderation import AfterModeration
from mail_routing.application.apply_rules import ApplyRules
from mail_routing.application.attempt import Attempt
from mail_routing.application.authenticate import Authenticate
from mail_routing.application.authorise import Authorise
from mail_routing.application.change_queue import ChangeQueue
from mail_routing.application.collect_contents import CollectContents
from mail_routing.application.create_app_password import CreateAppPassword
from mail_routing.application.decide_moderated import DecideModerated, Docket, GetModerated, ListModerated
from mail_routing.application.decide_quarantined import DecideQuarantined, ListQuarantine
from mail_routing.application.delegate import Delegate
from mail_routing.application.deliver import Deliver
from mail_routing.application.forget_ended import ForgetEnded
from mail_routing.application.inform import Inform
from mail_routing.application.list_app_passwords import ListAppPasswords
from mail_routing.application.preview_rule import PreviewRule
from mail_routing.application.resolve import Resolve
from mail_routing.application.resume import Resume
from mail_routing.application.revoke_app_password import RevokeAppPassword
from mail_routing.application.rule_changes import GetRules, PutRule, RemoveRule
from mail_routing.application.submit import Submit
from mail_routing.application.take_bounce import TakeBounce
from mail_routing.application.trace import Parties, Trace
from mail_routing.domain.message import MessageClass
from mail_routing.domain.next_hop import NextHops
from mail_routing.domain.quota import Quotas
from mail_routing.domain.route import Route
from mail_routing.entrypoints import grpc, grpc_moderation, grpc_queue
from mail_routing.entrypoints.consumers import deliver_accepted
from mail_routing.entrypoints.grpc_access import AccessCases
from mail_routing.entrypoints.grpc_rules import RuleCases
from mail_routing.entrypoints.smtp.actions import Limits
from mail_routing.entrypoints.smtp.certificate import following
from mail_routing.entrypoints.smtp.reception import Doors, Reception
from mail_routing.entrypoints.smtp.server import ServerLimits, SmtpServer
from mail_routing.settings import ConnectorSettings, Settings

ROLES = ("smtp", "submission", "api", "worker", "retry")
_COLLECT_EVERY_SECONDS = 3600.0
_FORGET_EVERY_SECONDS = 600.0
LINGER = 0.02
"""Seconds for which normal and bulk mail is gathered in the broker, so that what is done for many is done at once."""


def new_secret() -> str:
    """130 bits, in letters and digits that are not mistaken for each other."""
    return base64.b32encode(secrets.token_bytes(17)).decode().lower()[:26]


def build(app: service.App[Settings]) -> None:
    settings = app.settings
    feed = app.feed()
    people = ViewDirectory(feed.view)
    reports_to = tuple(chain.from_iterable(settings.service_senders.values()))
    the_route = Route(people, next_hops(settings), settings.postmaster, reports_to)
    deliveries = StoredDeliveries(app.collection("deliveries", INDEXES), app.producer)
    contents = BlobContents(app.blobs())
    accept = Accept(
        KafkaAcceptedLog(app.producer),
        contents,
        settings.smtp_hostname,
        AcceptLimits(settings.inline_octets, settings.max_hops),
    )
    passwords = app.collection("app_passwords", APP_PASSWORD_INDEXES)
    delegations = app.collection("delegations", DELEGATION_INDEXES)
    app_passwords, hasher = StoredAppPasswords(passwords), Argon2Hasher()
    authorise = Authorise(people, StoredDelegations(delegations), settings.service_senders)

    shelves = app.collection("rules")
    books = LiveBooks(shelves)
    app.chore("transport rules", 1, lambda _: books.refresh(), first=True)  # nothing is routed past them
    apply_rules = ApplyRules(the_route, books)
    inform = Inform(accept, people, settings.smtp_hostname)

    if app.plays("smtp") or app.plays("submission"):
        tokens = app.add(rpc.Verifier(settings.oidc_jwks, settings.oidc_issuer, settings.oidc_audience), "token keys")
        authenticate = Authenticate(tokens.verify, app_passwords, people, hasher, now=now)
        smtp(app, the_route, accept, authenticate, authorise)

    if app.plays("api"):
        submit = Submit(the_route, accept, authorise, now=now)
        parties = Parties(
            documents.address_party,
            documents.entity_party,
            documents.principal_party,
            documents.internet_message_id_party,
        )
        audit = PublishedAudit(app.producer, now=now)
        trace = Trace(deliveries, people, parties, audit)
        rule_cases = RuleCases(
            PutRule(StoredShelves(shelves), people.is_group),
            RemoveRule(StoredShelves(shelves)),
            GetRules(StoredShelves(shelves)),
            ListQuarantine(StoredQuarantine(deliveries.collection), audit),
            DecideQuarantined(StoredQuarantine(deliveries.collection)),
            PreviewRule(
                the_route,
                books,
                apply_rules,
                StreamedPast(app.kafka),
                contents,
                PublishedAudit(app.producer, now=now, action="mail.rule.preview"),
            ),
            now,
        )
        access = AccessCases(
            CreateAppPassword(app_passwords, hasher, new_secret),
            ListAppPasswords(app_passwords),
            RevokeAppPassword(app_passwords),
            Delegate(people, StoredDelegations(delegations)),
            now,
        )
        app.grpc(
            grpc.MailApi(Resolve(the_route, books, apply_rules), submit, trace, access, rule_cases),
            service_pb2_grpc.add_MailServiceServicer_to_server,
            grpc.SERVICE,
        )
        looked = PublishedAudit(app.producer, now=now, action="mail.queue.list")
        waiting = StoredQueue(deliveries.collection)
        app.grpc(
            grpc_queue.QueueApi(waiting, ChangeQueue(waiting, now=now), looked),
            queue_pb2_grpc.add_QueueServiceServicer_to_server,
            grpc_queue.SERVICE,
        )
        moderation(app, StoredModerated(deliveries.collection), people, contents, inform)
    app.relay(deliveries.collection, passwords, delegations, shelves)

    if app.plays("worker") or app.plays("retry"):
        next_hop = app.add(smtp_client(settings), "SMTP client")
        mailboxes = Maildir(settings.data_path / "maildirs")
        jitter = random.random  # spreads, guards nothing
        attempt = Attempt(
            inform,
            contents,
            mailboxes,
            next_hop,
            settings.smtp_hostname,
            now=now,
            jitter=jitter,
            moderated_for=settings.moderated_for,
        )
        if app.plays("worker"):
            take_bounce = TakeBounce(deliveries, settings.smtp_hostname, now=now)
            deliver = Deliver(
                the_route, apply_rules, attempt, contents, deliveries, take_bounce, now=now, new_id=messaging.new_id
            )
            for lane, stream in wire.STREAMS.items():
                linger = 0.0 if lane is MessageClass.URGENT else LINGER
                handle = deliver_accepted(deliver, idempotence=settings.kafka_idempotence)
                app.consumer(stream, {events_pb2.MessageAccepted: handle}, linger=linger)
        if app.plays("retry"):
            after_moderation = AfterModeration(
                the_route,
                apply_rules,
                contents,
                deliveries,
                inform,
                now=now,
                new_id=messaging.new_id,
                moderated_for=settings.moderated_for,
            )
            resume = Resume(deliveries, attempt, after_moderation, next_hop, now=now, jitter=jitter)
            app.add(resume, "retry", service.Stage.CONSUMER)
            tidy(app, contents, deliveries.collection)


def moderation(
    app: service.App[Settings], mails: StoredModerated, people: ViewDirectory, contents: BlobContents, inform: Inform
) -> None:
    docket = Docket(mails, people)
    api = grpc_moderation.ModerationApi(
        ListModerated(docket, PublishedAudit(app.producer, now=now, action="mail.moderation.list")),
        GetModerated(docket, contents, PublishedAudit(app.producer, now=now, action="mail.moderation.read")),
        DecideModerated(docket, contents, inform),
        now=now,
    )
    app.grpc(api, moderation_pb2_grpc.add_ModerationServiceServicer_to_server, grpc_moderation.SERVICE)


def next_hops(settings: Settings) -> NextHops:
    return NextHops(
        by_domain=settings.next_hops,
        smart_host=settings.smart_host,
        by_entity=settings.entity_hops,
        mailboxes=settings.mailbox_hops,
        split=settings.split_hops,
        dual=settings.dual_hops,
    )


def tidy(app: service.App[Settings], contents: BlobContents, deliveries: store.Collection) -> None:
    """What goes when a mail has ended: its content, and in time what is known of it."""
    after = timedelta(seconds=app.settings.collect_after_seconds)
    unrecorded_after = timedelta(seconds=app.settings.collect_unrecorded_after_seconds)
    users = StoredContentUsers(deliveries)
    collect = CollectContents(contents, users, after=after, unrecorded_after=unrecorded_after)
    app.chore("collection of content", min(_COLLECT_EVERY_SECONDS, after.total_seconds()), collect)
    keep_for = timedelta(days=app.settings.trace_days)
    forget = ForgetEnded(StoredEnded(deliveries), keep_for)
    app.chore("forgetting of mails", min(_FORGET_EVERY_SECONDS, keep_for.total_seconds()), forget)


def smtp_client(settings: Settings) -> SmtpClient:
    servers = [(at.address, at.port) for at in map(hops.server, settings.dns_servers)]
    exchangers = MailExchangers(resolver(servers), settings.smtp_hostname, shuffle=hops.shuffled)
    connectors = {name: connector(each) for name, each in settings.connectors.items()}
    shapes = {hop: Shape(**each.model_dump()) for hop, each in settings.shapes.items()}
    found = hops.Hops(connectors, exchangers, settings.mx_port, settings.tls_required_domains, settings.mx_authorities)
    return SmtpClient(settings.smtp_hostname, found, shapes=shapes)


def connector(settings: ConnectorSettings) -> hops.Connector:
    path = settings.password_file
    return hops.Connector(
        servers=tuple(map(hops.server, settings.servers)),
        security=hops.Security(settings.tls),
        lmtp=settings.protocol == "lmtp",
        authority=hops.Authority(settings.username, path) if path else None,
        authorities_file=settings.authorities,
    )


def smtp(
    app: service.App[Settings], the_route: Route, accept: Accept, authenticate: Authenticate, authorise: Authorise
) -> None:
    """The ports for other servers and for people; what they take is counted together."""
    settings = app.settings
    replicas = settings.smtp_replicas
    quotas = Quotas({of: rate.shared(replicas) for of, rate in settings.smtp_rates.items()})
    tls = None
    if settings.smtp_tls_certificate is not None:
        tls = following(settings.smtp_tls_certificate, settings.smtp_tls_key)
    limits = ServerLimits(
        connections=settings.smtp_max_connections,
        connections_per_address=settings.smtp_max_connections_per_address,
        connections_a_minute=settings.smtp_max_connections_a_minute / replicas,
        mistakes_a_minute=settings.smtp_max_mistakes_a_minute / replicas,
        idle_seconds=settings.smtp_idle_seconds,
        session=Limits(
            mail_octets=settings.smtp_max_octets,
            recipients=settings.smtp_max_recipients,
            mistakes=settings.smtp_max_mistakes,
            mails=settings.smtp_max_mails_a_connection,
        ),
    )

    def port(setting: str, *, submission: bool, implicit_tls: bool = False) -> None:
        address = getattr(settings, setting)
        if address is None or not app.plays("submission" if submission else "smtp"):
            return
        doors = Doors(settings.trusted_networks, submission)
        reception = Reception(
            the_route,
            accept,
            doors,
            quotas,
            authenticate,
            authorise,
            now=now,
            clock=time.monotonic,
            new_id=messaging.new_id,
        )
        server = SmtpServer(
            address,
            settings.smtp_hostname,
            reception.take,
            reception.judge_of,
            limits=limits,
            tls=tls,
            implicit_tls=implicit_tls,
            authenticate=reception.authenticate if submission else None,
            setting=setting.upper(),
        )
        app.add(server, setting.upper(), service.Stage.SERVER)

    port("smtp_address", submission=False)
    port("submission_address", submission=True)
    port("submissions_address", submission=True, implicit_tls=True)


def main() -> None:
    service.run("mail-routing", Settings, build, roles=ROLES)


if __name__ == "__main__":
    main()
