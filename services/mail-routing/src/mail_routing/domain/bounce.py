"""Reports that others send about mail of ours (RFC 3464), read totally: any bytes give what they tell, or nothing."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from mail_routing.domain.address import canonical
from mail_routing.domain.delivery import Delivery, Progress, Shard, State
from mail_routing.domain.headers import Headers
from mail_routing.domain.route import Kind

_MOST_RECIPIENTS = 1000
_REPORT = re.compile(rb"multipart/report\b", re.IGNORECASE)
_STATUS_PART = re.compile(rb"^content-type:[ \t]*message/(?:global-)?delivery-status\b", re.IGNORECASE | re.MULTILINE)
_FIELD = re.compile(rb"([A-Za-z-]{1,60})[ \t]*:[ \t]*(.*(?:\r\n[ \t].*)*)")
_STATUS = re.compile(r"[245]\.\d{1,3}\.\d{1,3}")


@dataclass(frozen=True, slots=True)
class Bounce:
    """One failed recipient: the addresses that it may be known by, and what was said."""

    addresses: frozenset[str]
    status: str
    reply: str


@dataclass(frozen=True, slots=True)
class Report:
    """The ids of mails of ours that it names, and who has failed."""

    message_ids: tuple[str, ...]
    bounces: tuple[Bounce, ...]


def is_report(sender: str, present: Headers) -> bool:
    """Whether it may be one: only the null sender reports (RFC 3464 section 2)."""
    return not sender and any(_REPORT.match(value) for value in present.all("content-type"))


def read(content: bytes, hostname: str) -> Report:
    """What it says; our mails are known by the Received field that we left in the header it returns."""
    ours = re.compile(rb"by " + re.escape(hostname.encode()) + rb"(?: with [A-Z0-9]+)? id ([A-Za-z0-9._-]{1,64})")
    part = _STATUS_PART.search(content)
    if part is None:
        return Report((), ())
    start = content.find(b"\r\n\r\n", part.end())
    end = content.find(b"\r\n--", start)
    if start < 0 or end < 0:
        return Report((), ())
    groups = content[start + 4 : end].split(b"\r\n\r\n")[: _MOST_RECIPIENTS + 1]
    bounces = tuple(bounce for group in groups if (bounce := _bounce(_fields(group))))
    ids = dict.fromkeys(found.decode() for found in ours.findall(content, end))
    return Report(tuple(ids)[:10], bounces)


def bounced(shard: Shard, report: Report, now: datetime) -> Progress | None:
    """The shard once those who failed after a hop had taken them are known; None when none of them did."""
    changed: list[Delivery] = []
    deliveries = list(shard.deliveries)
    for at, delivery in enumerate(deliveries):
        to = delivery.destination
        if delivery.state is not State.DELIVERED or to.kind not in {Kind.RELAY, Kind.LMTP}:
            continue
        known = {canonical(to.address), canonical(to.original)}
        said = next((bounce for bounce in report.bounces if bounce.addresses & known), None)
        if said:
            deliveries[at] = replace(delivery, state=State.BOUNCED, status=said.status, reply=said.reply, at=now)
            changed.append(deliveries[at])
    return Progress(replace(shard, deliveries=tuple(deliveries)), tuple(changed)) if changed else None


def _fields(group: bytes) -> Mapping[str, str]:
    return {name.decode().lower(): _text(value) for name, value in _FIELD.findall(group)}


def _bounce(fields: Mapping[str, str]) -> Bounce | None:
    if fields.get("action", "").lower() != "failed":
        return None
    status = _STATUS.match(fields.get("status", ""))
    return Bounce(
        frozenset(_addresses(fields)),
        status[0] if status else "5.0.0",
        fields.get("diagnostic-code", "")[:500] or "Reported by the other side",
    )


def _addresses(fields: Mapping[str, str]) -> Iterator[str]:
    for name in ("original-recipient", "final-recipient"):
        kind, _, address = fields.get(name, "").partition(";")
        if kind.strip().lower() in {"rfc822", "utf-8"} and address.strip():
            yield canonical(address.strip())


def _text(value: bytes) -> str:
    return " ".join(value.decode("utf-8", "replace").split())
