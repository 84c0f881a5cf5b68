"""Between the SMTP protocol and the use cases: who may hand in what, what a recipient hears, what a mail becomes."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address

import errors
import telemetry
from rpc import Caller

from mail_routing.application.accept import Accept
from mail_routing.application.authenticate import Authenticate, Credentials
from mail_routing.application.authorise import Authorise
from mail_routing.domain import address, internet_message_id, route
from mail_routing.domain.message import Message, MessageClass, Origin, transmission
from mail_routing.domain.pace import Pace
from mail_routing.domain.quota import Quotas, RateOf
from mail_routing.domain.route import Refusal, Route, Sender
from mail_routing.domain.sameness import same_id
from mail_routing.entrypoints.smtp import sasl
from mail_routing.entrypoints.smtp.actions import Judge, Transaction
from mail_routing.entrypoints.smtp.grammar import MailFrom, Reply
from mail_routing.entrypoints.smtp.server import Admitted, Client

_log = telemetry.logger(__name__)

Network = IPv4Network | IPv6Network

_WRONG_PASSWORDS_A_MINUTE = 20
_CLIENTS_KNOWN = 10_000

_REFUSED = {
    "MAIL_LOOP": Reply(554, "5.4.6", "The mail goes round: it has passed too many servers"),
    "HEADER_TOO_LARGE": Reply(552, "5.3.4", "The header of the mail is too large"),
}
_LATER = Reply(450, "4.7.1", "Enough for now; try again later")
_NOT_NOW = Reply(451, "4.3.0", "Not now; try again later")
_NO_ROOM = Reply(452, "4.3.1", "No room for the mail now; try again later")


class Admission:
    """`session.Judge` for one client: recipients are asked of the route, as the worker will."""

    def __init__(self, reception: "Reception", client: str, caller: Caller | None) -> None:
        self._reception = reception
        self._client = client
        self._caller = caller
        self.trusted = caller is not None or reception.trusts(client)
        self._counted: tuple[MailFrom, dict[RateOf, str]] | None = None

    def sender(self, mail: MailFrom) -> Reply | None:
        """Whether mail is taken now; whose name a mail may bear is asked when it is there."""
        if self._reception.submission and not self.trusted:
            return Reply(530, "5.7.0", "Authenticate first")
        who, now = self.who(mail), self._reception.clock()
        if self._reception.quotas.over(who, now, "mails", "octets"):
            return _limited("MAILS")
        self._reception.quotas.spend(who, now, mails=1)
        return None

    def recipient(self, mail: MailFrom, address: str) -> Reply | None:
        sender = Sender(mail.sender, self.trusted, reports=not mail.sender)
        finding = route.find(self._reception.route, sender, address)
        if isinstance(finding, Refusal):
            telemetry.names.MAIL_REFUSED.bind(reason=f"STATUS_{finding.status.replace('.', '_')}").inc()
            return Reply(550, finding.status, finding.reason)
        who, now = self.who(mail), self._reception.clock()
        if self._reception.quotas.over(who, now, "recipients"):
            return _limited("RECIPIENTS")
        self._reception.quotas.spend(who, now, recipients=1)
        return None

    def who(self, mail: MailFrom) -> dict[RateOf, str]:
        """Whom the mail counts for. The entity is the sender's where we know who that is."""
        if self._counted is None or self._counted[0] is not mail:
            self._counted = mail, self._who(mail)
        return self._counted[1]

    def _who(self, mail: MailFrom) -> dict[RateOf, str]:
        caller = self._caller
        found: dict[RateOf, str] = {"client": "" if self.trusted else self._client, "sender": mail.sender}
        if self.trusted:
            found["principal"] = caller.subject if caller else ""
            found["entity"] = self._reception.entity_of(mail.sender, caller)
        return found


def _limited(what: str) -> Reply:
    telemetry.names.MAIL_REFUSED.bind(reason=f"TOO_MANY_{what}").inc()
    return _LATER


@dataclass(frozen=True, slots=True)
class Doors:
    """What a port of ours lets in: strangers' mail for our people, or (`submission`) only what somebody hands in
    who has authenticated; clients of the trusted networks are believed on both.
    """

    trusted_networks: tuple[Network, ...] = ()
    submission: bool = False


class Reception:
    """Makes a message of a transaction and hands it to `Accept`; every end of that is a reply."""

    def __init__(
        self,
        the_route: Route,
        accept: Accept,
        doors: Doors,
        quotas: Quotas,
        authenticate: Authenticate,
        authorise: Authorise,
        *,
        now: Callable[[], datetime],
        clock: Callable[[], float],
        new_id: Callable[[], str],
    ) -> None:
        self.route = the_route
        self.quotas = quotas
        self.submission = doors.submission
        self.clock = clock
        self._accept = accept
        self._trusted_networks = doors.trusted_networks
        self._authenticate = authenticate
        self._authorise = authorise
        self._wrong = Pace(_WRONG_PASSWORDS_A_MINUTE)
        self.trusts = lru_cache(maxsize=_CLIENTS_KNOWN)(self._trusts)
        self._now = now
        self._new_id = new_id

    def judge_of(self, client: str) -> Judge:
        return Admission(self, client, None)

    async def authenticate(self, credentials: Credentials, client: Client) -> Admitted | Reply:
        """Wrong credentials count for the address that they came from, and then nothing is looked at for a while."""
        if self._wrong.over(client.address, self.clock()):
            return Reply(454, "4.7.0", "Too many wrong credentials from you; try again later")
        try:
            with telemetry.observe("smtp.authenticate"):
                caller = await self._authenticate(credentials)
        except errors.Unauthenticated:
            self._wrong.spend(client.address, 1, self.clock())
            telemetry.names.MAIL_REFUSED.bind(reason="CREDENTIALS").inc()
            return sasl.REFUSED
        except errors.Transient as trouble:
            _log.warning("credentials not looked at", reason=trouble.reason)
            return Reply(454, "4.7.0", "Not now; try again later")
        return Admitted(caller, Admission(self, client.address, caller))

    async def take(self, transaction: Transaction, client: Client) -> Reply:
        try:
            with telemetry.observe("smtp.mail", kind=telemetry.Kind.SERVER):
                message = await self._message(transaction, client)
                await self._accept(message)
        except errors.NotAllowed as refused:
            telemetry.names.MAIL_REFUSED.bind(reason=refused.reason).inc()
            return Reply(550, "5.7.1", f"Not in this name: {refused}")
        except errors.Invalid as refused:
            telemetry.names.MAIL_REFUSED.bind(reason=refused.reason).inc()
            return _REFUSED.get(refused.reason, Reply(554, "5.6.0", f"The mail cannot be read: {refused}"))
        except errors.Transient as trouble:
            _log.warning("mail not taken", reason=trouble.reason)
            return _NO_ROOM if trouble.reason == "CONTENT_FULL" else _NOT_NOW
        return Reply(250, "2.0.0", f"Taken as {message.message_id}")

    async def _message(self, transaction: Transaction, client: Client) -> Message:
        mail, caller = transaction.mail, client.caller
        content = bytes(transaction.content)
        if not content.endswith(b"\r\n"):  # a last chunk may end inside a line
            content += b"\r\n"
        if caller is not None:
            content = await self._authorise(caller, mail.sender, content)
        admission = Admission(self, client.address, caller)
        self.quotas.spend(admission.who(mail), self.clock(), octets=len(content))
        principal, now = caller.subject if caller else "", self._now()
        recipients = tuple(transaction.recipients.values())
        named = internet_message_id.of(content)
        envelope = (mail.sender, principal, str(admission.trusted), mail.envelope_id, mail.returned)
        return Message(
            message_id=same_id(envelope, recipients, content, named, now) or self._new_id(),
            entity_id=self.entity_of(mail.sender, caller),
            sender=mail.sender,
            recipients=recipients,
            content=content,
            size=len(content),
            message_class=MessageClass.NORMAL,
            accepted_at=now,
            origin=Origin.SUBMISSION if admission.trusted else Origin.SMTP,
            client=f"{client.name} ([{client.address}])",
            smtputf8=mail.smtputf8,
            principal=principal,
            envelope_id=mail.envelope_id,
            dsn_return=mail.returned,
            protocol=transmission(
                extended=client.extended,
                secure=client.secure,
                authenticated=caller is not None,
                smtputf8=mail.smtputf8,
            ),
            internet_message_id=named,
        )

    def entity_of(self, sender: str, caller: Caller | None) -> str:
        """The entity of the sender's domain; of who hands it in, where the sender is null."""
        found = self.route.directory.entity_of_domain(address.split(sender)[1]) or ""
        return found or (caller.entity_id if caller else "")

    def _trusts(self, client: str) -> bool:
        try:
            at = ip_address(client.partition("%")[0])
        except ValueError:
            return False
        at = getattr(at, "ipv4_mapped", None) or at
        return any(at in network for network in self._trusted_networks)
