"""Audit records: that somebody did something, as a fact to be written with what was done."""

import re
from collections.abc import Mapping
from datetime import datetime

from rossio.governance.v1.audit_pb2 import ActionAudited
from store import OutboxRecord

from messaging.envelope import fact
from messaging.identity import new_id

_ACTION = re.compile(r"[a-z]+(?:-[a-z]+)*\.[a-z_]+\.[a-z_]+")


def audited(
    action: str,
    *,
    at: datetime,
    entity_id: str,
    actor: str,
    actor_entity_id: str,
    resource: str,
    details: Mapping[str, str] | None = None,
    id: str = "",  # noqa: A002 - as in fact
) -> OutboxRecord:
    """The fact that somebody did something.

    Args:
        action: "<service>.<resource>.<verb>", for example "document.node.share".
        at: when it was done, aware.
        entity_id: in whose chain it stands: the owner of the resource, or empty for none.
        actor: the subject of the token.
        actor_entity_id: the entity of the actor, empty for a citizen.
        resource: the id of what it was done to.
        details: further facts, no content.
        id: of the record, where it is known already, so that a retry repeats it; else a new one.

    Raises:
        ValueError: the action has another shape, or the time is naive.
    """
    if not _ACTION.fullmatch(action):
        raise ValueError(f'an action is "<service>.<resource>.<verb>", not {action!r}')
    if at.tzinfo is None:
        raise ValueError("the time of an audit record is aware")
    record = ActionAudited(
        audit_id=id or new_id(),
        entity_id=entity_id,
        actor=actor,
        actor_entity_id=actor_entity_id,
        action=action,
        resource=resource,
        details=details or {},
    )
    record.at.FromDatetime(at)
    return fact(record, id=record.audit_id, at=at)
