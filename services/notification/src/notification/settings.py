"""What this service is told from outside, beside what every service is."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated

import service
from pydantic import Field, SecretStr

from notification.application.rates import Rates
from notification.domain.failover import Steering
from notification.domain.linter import SmsRules
from notification.domain.notice import Periods
from notification.domain.prescription import Lengths

Period = Annotated[timedelta, Field(gt=timedelta(0), description="ISO 8601, for example P3D or PT30S")]
_Digits = Annotated[int, Field(ge=1, le=8)]


class Settings(service.Settings):
    grpc_address: service.Address = "127.0.0.1:7105"
    admin_address: service.Address = "127.0.0.1:7205"
    data_path: Path = Path(".rossio/notification")
    grpc_max_message_bytes: int = 33 * 1024 * 1024
    """A table of a bulk job goes in whole."""

    vault_key: SecretStr | None = None
    """32 bytes in base64, the same in all processes, which wrap the keys of sealed messages.

    Without it a process makes a key file of its own in DATA_PATH: for one process alone.
    """
    keep_for: Period = timedelta(days=90)
    """How long notices stay in inboxes."""
    send_within: Period = timedelta(days=3)
    """How long a message that no provider takes is tried."""

    keep_sent_for: Period = timedelta(days=7)
    """How long what services send is kept; `retention` says otherwise by service."""
    retention: dict[str, Period] = Field(default_factory=dict)
    """By the subject of a service, for example {"his": "P1D"}."""

    fallback_after: Period = timedelta(minutes=15)
    """How long a channel of a fall-back order has to arrive before the next one is tried."""

    mail_routing_address: service.Address = "127.0.0.1:7102"
    mail_sender: str = "no-reply@rossio.test"
    """Whom e-mails come from; mail-routing must let this service use it."""
    mail_principal: str = "notification"
    """The subject of this service's token, by which it knows its own mails."""

    sms_provider_url: str = "http://127.0.0.1:7405"
    """Who sends SMS over HTTP."""
    sms_provider_key: SecretStr = SecretStr("")
    sms_provider_window: Annotated[int, Field(ge=1, le=10_000)] = 320
    """Requests to it under way at one time, of which bulk leaves half free, and others an eighth to emergencies."""
    sms_over_http: bool = True
    """Whether that provider is used, beside or instead of a message centre."""
    sms_receipt_secret: SecretStr | None = None
    """What the provider signs its receipts with; without it none is taken."""
    receipts_address: service.Address = "127.0.0.1:7305"
    receipts_url: str = ""
    """Where the provider finds `receipts_address`; empty: at that address itself."""
    unsubscribe_url: str = ""
    """Where mail providers find `receipts_address` (https); empty: mails cannot be ended by one click."""

    outbound_private: bool = False
    """Whether devices and callbacks may be in private networks and without TLS: for development."""
    push_contact: str = "mailto:postmaster@rossio.test"
    """Whom push services write to about us (RFC 8292)."""

    smpp_address: str = ""
    """Host and port of a message centre; empty: SMS go over HTTP alone."""
    smpp_system_id: str = ""
    """As whom it binds there."""
    smpp_password: SecretStr = SecretStr("")
    smpp_sender: str = "Rossio"
    """Whom SMS come from: a number, or up to 11 letters."""
    smpp_window: Annotated[int, Field(ge=1, le=1000)] = 32
    """Messages under way at one time."""
    smpp_enquire_every: Period = timedelta(seconds=20)
    """How often a silent connection is asked whether it is there."""
    steer_every: Period = timedelta(seconds=15)
    """How often the shares of the SMS providers are looked at."""
    provider_prompt: Annotated[Period, Field(le=timedelta(minutes=10))] = timedelta(minutes=4)
    """A message without a receipt for longer was slow; the loop looks at 15 minutes, so it can be no more than 10."""
    provider_cool_down: Period = timedelta(minutes=10)
    """How long the shares rest after a slow provider has lost a part of its own."""
    provider_errors_a_minute: Annotated[int, Field(ge=1)] = 10
    """With more, a provider of SMS is failing."""

    rate_service_a_minute: Annotated[int, Field(ge=0)] = 3000
    """Most messages of one service; 0: any number. What is over it is refused."""
    rate_entity_a_day: Annotated[int, Field(ge=0)] = 0
    """Most messages of one entity; 0: any number. What is over it is refused."""
    rate_recipient_an_hour: Annotated[int, Field(ge=0)] = 30
    """Most messages to one recipient; 0: any number. What is over it waits."""

    sms_most_segments: Annotated[int, Field(ge=1, le=20)] = 4
    """Longer texts are refused."""
    sms_price_millis: Annotated[int, Field(ge=0)] = 45
    """What a segment costs, in thousandths of a euro."""
    sms_words: tuple[str, ...] = ()
    """Words that no SMS may hold."""

    prescription_expiry: Period = timedelta(days=3)
    """How long the codes are kept, encrypted, when no receipt comes."""
    access_code_digits: _Digits = 6
    """Of the code with which a prescription is dispensed."""
    option_code_digits: _Digits = 4
    """Of the code with which the patient chooses."""
    expiry_every: Period = timedelta(seconds=30)
    """How often it is looked for what has expired."""
    bulk_every: Period = timedelta(milliseconds=500)
    """How often it is looked for bulk jobs, and counted what became of them."""
    due_every: Period = timedelta(seconds=1)
    """How often it is looked for what has waited for its time."""

    @property
    def periods(self) -> Periods:
        return Periods(self.send_within, self.keep_for, self.keep_sent_for, self.fallback_after, self.retention)

    @property
    def rates(self) -> Rates:
        return Rates(self.rate_service_a_minute, self.rate_entity_a_day, self.rate_recipient_an_hour)

    @property
    def steering(self) -> Steering:
        return Steering(
            errors_a_minute=self.provider_errors_a_minute,
            cool_down=self.provider_cool_down,
            error_cool_down=min(Steering().error_cool_down, self.provider_cool_down),
        )

    @property
    def sms_rules(self) -> SmsRules:
        return SmsRules(self.sms_most_segments, self.sms_price_millis, self.sms_words)

    @property
    def lengths(self) -> Lengths:
        return Lengths(access_code=self.access_code_digits, option_code=self.option_code_digits)
