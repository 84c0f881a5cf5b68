"""Between the SMTP protocol and the use case: who may relay, what a recipient hears, what a mail becomes."""

from collections.abc import Callable
from datetime import datetime
from ipaddress import IPv4Network, IPv6Network, ip_address

import errors
import telemetry

from mail_routing.application.accept import Accept
from mail_routing.domain import address, route
from mail_routing.domain.message import Message, MessageClass, Origin
from mail_routing.domain.route import Refusal, Route, Sender
from mail_routing.entrypoints.smtp.grammar import MailFrom, Reply
from mail_routing.entrypoints.smtp.server import Client
from mail_routing.entrypoints.smtp.session import Judge, Transaction

_log = telemetry.logger(__name__)

Network = IPv4Network | IPv6Network

_REFUSED = {
    "MAIL_LOOP": Reply(554, "5.4.6", "The mail goes round: it has passed too many servers"),
    "HEADER_TOO_LARGE": Reply(552, "5.3.4", "The header of the mail is too large"),
}


class DirectoryJudge:
    """`session.Judge` for one client: recipients are asked of the route, as the worker will."""

    def __init__(self, the_route: Route, *, trusted: bool) -> None:
        self._route = the_route
        self._trusted = trusted

    def sender(self, mail: MailFrom) -> Reply | None:
        """Every reverse path is taken; who may use which is asked with authentication."""
        del mail
        return None

    def recipient(self, mail: MailFrom, address: str) -> Reply | None:
        finding = route.find(self._route, Sender(mail.sender, self._trusted), address)
        if not isinstance(finding, Refusal):
            return None
        telemetry.names.MAIL_REFUSED.bind(reason=f"STATUS_{finding.status.replace('.', '_')}").inc()
        return Reply(550, finding.status, finding.reason)


class Reception:
    """Makes a message of a transaction and hands it to `Accept`; every end of that is a reply."""

    def __init__(
        self,
        the_route: Route,
        accept: Accept,
        trusted_networks: tuple[Network, ...],
        *,
        now: Callable[[], datetime],
        new_id: Callable[[], str],
    ) -> None:
        self._route = the_route
        self._accept = accept
        self._trusted_networks = trusted_networks
        self._now = now
        self._new_id = new_id

    def judge_of(self, client: str) -> Judge:
        return DirectoryJudge(self._route, trusted=self._trusted(client))

    async def take(self, transaction: Transaction, client: Client) -> Reply:
        message = self._message(transaction, client)
        try:
            with telemetry.observe("smtp.mail", kind=telemetry.Kind.SERVER):
                await self._accept(message)
        except errors.Invalid as refused:
            telemetry.names.MAIL_REFUSED.bind(reason=refused.reason).inc()
            return _REFUSED.get(refused.reason, Reply(554, "5.6.0", f"The mail cannot be read: {refused}"))
        except errors.Transient as trouble:
            _log.warning("mail not taken", reason=trouble.reason)
            return Reply(451, "4.3.0", "Not now; try again later")
        return Reply(250, "2.0.0", f"Taken as {message.message_id}")

    def _message(self, transaction: Transaction, client: Client) -> Message:
        mail = transaction.mail
        content = bytes(transaction.content)
        if not content.endswith(b"\r\n"):  # a last chunk may end inside a line
            content += b"\r\n"
        domain = address.split(mail.sender)[1]
        return Message(
            message_id=self._new_id(),
            entity_id=self._route.directory.entity_of_domain(domain) or "",
            sender=mail.sender,
            recipients=tuple(transaction.recipients.values()),
            content=content,
            size=len(content),
            message_class=MessageClass.NORMAL,
            accepted_at=self._now(),
            origin=Origin.SUBMISSION if self._trusted(client.address) else Origin.SMTP,
            client=f"{client.name} ([{client.address}])",
            smtputf8=mail.smtputf8,
        )

    def _trusted(self, client: str) -> bool:
        try:
            at = ip_address(client.partition("%")[0])
        except ValueError:
            return False
        at = getattr(at, "ipv4_mapped", None) or at
        return any(at in network for network in self._trusted_networks)
