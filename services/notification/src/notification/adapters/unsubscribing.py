"""Links that end mails by one click (RFC 8058): nobody else can make one, and none holds an address."""

import hashlib
import hmac
from typing import Final

from notification.domain.notification import Notification

_SHORT: Final = 16


class UnsubscribeLinks:
    """`url` is where people's mail providers find this service; empty: no mail has a link."""

    def __init__(self, url: str, key: bytes) -> None:
        self._url = url.rstrip("/")
        self._key = hmac.digest(key, b"rossio.notification.unsubscribe", hashlib.sha256)

    def of(self, notification: Notification) -> str:
        """The link in the mail of a notification; empty where there is no choice."""
        if not self._url or not notification.may_be_ended:
            return ""
        return f"{self._url}/unsubscribe/{notification.notification_id}.{self._sign(notification.notification_id)}"

    def read(self, token: str) -> str | None:
        """The id of the notification, or None for a token that is not ours."""
        notification_id, _, signature = token.rpartition(".")
        return notification_id if hmac.compare_digest(signature, self._sign(notification_id)) else None

    def _sign(self, notification_id: str) -> str:
        return hmac.digest(self._key, notification_id.encode(), hashlib.sha256)[:_SHORT].hex()
