"""mail-routing: settings -> adapters -> use cases -> entrypoints. Roles: smtp, api, worker, retry."""

import random
import ssl
from datetime import UTC, datetime

import messaging
import service
from rossio.mail.v1 import events_pb2, queue_pb2_grpc, service_pb2_grpc

from mail_routing.adapters import documents, hops, wire
from mail_routing.adapters.accepted_log import KafkaAcceptedLog
from mail_routing.adapters.audit import PublishedAudit
from mail_routing.adapters.contents import BlobContents
from mail_routing.adapters.directory import ViewDirectory
from mail_routing.adapters.maildir import Maildir
from mail_routing.adapters.mx import MailExchangers, resolver
from mail_routing.adapters.queue_store import StoredQueue
from mail_routing.adapters.smtp_client import Shape, SmtpClient
from mail_routing.adapters.store import INDEXES, StoredDeliveries
from mail_routing.application.accept import Accept, AcceptLimits
from mail_routing.application.attempt import Attempt
from mail_routing.application.change_queue import ChangeQueue
from mail_routing.application.deliver import Deliver
from mail_routing.application.resume import Resume
from mail_routing.application.submit import Submit
from mail_routing.application.take_bounce import TakeBounce
from mail_routing.application.trace import Parties, Trace
from mail_routing.domain.next_hop import NextHops
from mail_routing.domain.route import Route
from mail_routing.entrypoints import grpc, grpc_queue
from mail_routing.entrypoints.consumers import deliver_accepted
from mail_routing.entrypoints.smtp.reception import Reception
from mail_routing.entrypoints.smtp.server import ServerLimits, SmtpServer
from mail_routing.entrypoints.smtp.session import Limits
from mail_routing.settings import ConnectorSettings, Settings

ROLES = ("smtp", "api", "worker", "retry")


def now() -> datetime:
    """The time in whole milliseconds, as the store keeps it."""
    at = datetime.now(UTC)
    return at.replace(microsecond=at.microsecond // 1000 * 1000)


def build(app: service.App[Settings]) -> None:
    settings = app.settings
    feed = app.feed()
    people = ViewDirectory(feed.view)
    the_route = Route(people, next_hops(settings), settings.postmaster)
    deliveries = StoredDeliveries(app.collection("deliveries", INDEXES))
    contents = BlobContents(app.blobs())
    accept = Accept(KafkaAcceptedLog(app.producer), contents, AcceptLimits(settings.inline_octets, settings.max_hops))

    if app.plays("smtp"):
        reception = Reception(the_route, accept, settings.trusted_networks, now=now, new_id=messaging.new_id)
        app.add(smtp_server(settings, reception), "SMTP", service.Stage.SERVER)

    if app.plays("api"):
        submit = Submit(the_route, people, accept, settings.service_senders, now=now)
        parties = Parties(documents.address_party, documents.entity_party, documents.principal_party)
        trace = Trace(deliveries, people, parties, PublishedAudit(app.producer, now=now))
        app.grpc(
            grpc.MailApi(the_route, submit, trace), service_pb2_grpc.add_MailServiceServicer_to_server, grpc.SERVICE
        )
        looked = PublishedAudit(app.producer, now=now, action="mail.queue.list")
        waiting = StoredQueue(deliveries.collection)
        queue_api = grpc_queue.QueueApi(waiting, ChangeQueue(waiting, now=now), looked)
        app.grpc(queue_api, queue_pb2_grpc.add_QueueServiceServicer_to_server, grpc_queue.SERVICE)

    if app.plays("worker") or app.plays("retry"):
        next_hop = app.add(smtp_client(settings), "SMTP client")
        mailboxes = Maildir(settings.data_path / "maildirs")
        jitter = random.SystemRandom().random
        attempt = Attempt(accept, contents, mailboxes, next_hop, settings.smtp_hostname, now=now, jitter=jitter)
        app.relay(deliveries.collection)
        if app.plays("worker"):
            take_bounce = TakeBounce(deliveries, contents, settings.smtp_hostname, now=now)
            deliver = Deliver(the_route, attempt, contents, deliveries, take_bounce, now=now, new_id=messaging.new_id)
            for stream in wire.STREAMS.values():
                app.consumer(stream, {events_pb2.MessageAccepted: deliver_accepted(deliver)})
        if app.plays("retry"):
            app.add(Resume(deliveries, attempt, next_hop, now=now, jitter=jitter), "retry", service.Stage.CONSUMER)


def next_hops(settings: Settings) -> NextHops:
    return NextHops(
        by_domain=settings.next_hops,
        smart_host=settings.smart_host,
        by_entity=settings.entity_hops,
        mailboxes=settings.mailbox_hops,
        split=settings.split_hops,
        dual=settings.dual_hops,
    )


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


def smtp_server(settings: Settings, reception: Reception) -> SmtpServer:
    limits = ServerLimits(
        connections=settings.smtp_max_connections,
        connections_per_address=settings.smtp_max_connections_per_address,
        idle_seconds=settings.smtp_idle_seconds,
        session=Limits(mail_octets=settings.smtp_max_octets),
    )
    tls = None
    if settings.smtp_tls_certificate is not None:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(settings.smtp_tls_certificate, settings.smtp_tls_key)
    return SmtpServer(
        settings.smtp_address, settings.smtp_hostname, reception.take, reception.judge_of, limits=limits, tls=tls
    )


def main() -> None:
    service.run("mail-routing", Settings, build, roles=ROLES)


if __name__ == "__main__":
    main()
