"""Where somebody has asked to be reached: a browser, or an address of a program."""

from dataclasses import dataclass, field

from notification.domain.vocabulary import Channel


@dataclass(frozen=True, slots=True)
class Device:
    """A browser (PUSH) has keys, a webhook (WEBHOOK) a secret under which it is signed; nothing shows in a log."""

    device_id: str
    owner: str
    channel: Channel
    url: str = field(repr=False)
    p256dh: str = field(default="", repr=False)
    auth: str = field(default="", repr=False)
    secret: str = field(default="", repr=False)


def callback_owner(subject: str) -> str:
    """The owner of the address at which a sender is told what becomes of its messages."""
    return f"callback:{subject}"
