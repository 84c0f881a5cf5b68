"""Builds audit records; the caller publishes one as a fact in its own atomic write."""

import re
from collections.abc import Mapping
from datetime import datetime

from rossio.governance.v1.audit_pb2 import ActionAudited

_ACTION = re.compile(r"[a-z]+(?:-[a-z]+)*\.[a-z_]+\.[a-z_]+")


def action(
    name: str,
    *,
    id: str,  # noqa: A002 - the id of the record, as in messaging.fact
    at: datetime,
    entity_id: str,
    actor: str,
    actor_entity_id: str,
    resource: str,
    details: Mapping[str, str] | None = None,
) -> ActionAudited:
    """Builds the record that somebody did something.

    Args:
        name: "<service>.<resource>.<verb>", for example "document.node.share".
        id: the id of the record, made once with the fact and repeated on a retry.
        at: when it was done, aware.
        entity_id: in whose chain it stands: the owner of the resource, or empty for none.
        actor: the subject of the token.
        actor_entity_id: the entity of the actor, empty for a citizen.
        resource: the id of what it was done to.
        details: further facts, no content.

    Raises:
        ValueError: the name has another shape, or the time is naive.
    """
    if not _ACTION.fullmatch(name):
        raise ValueError(f'an action is "<service>.<resource>.<verb>", not {name!r}')
    if at.tzinfo is None:
        raise ValueError("the time of an audit record is aware")
    record = ActionAudited(
        audit_id=id,
        entity_id=entity_id,
        actor=actor,
        actor_entity_id=actor_entity_id,
        action=name,
        resource=resource,
        details=details or {},
    )
    record.at.FromDatetime(at)
    return record
