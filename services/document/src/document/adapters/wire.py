"""Domain objects as messages of rossio.document.v1, and the facts about a deed."""

from datetime import datetime

import telemetry
from errors import Invalid
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from messaging import fact, new_id
from rossio.document.v1 import document_pb2, events_pb2
from store import OutboxRecord

from document.domain.deeds import Deed, Verb
from document.domain.node import Kind, Node, Version
from document.domain.permissions import Grant, Grantee, GranteeKind, Role

_KINDS = {Kind.FOLDER: document_pb2.NODE_KIND_FOLDER, Kind.FILE: document_pb2.NODE_KIND_FILE}
_ROLES = {
    Role.NONE: document_pb2.ROLE_UNSPECIFIED,
    Role.READER: document_pb2.ROLE_READER,
    Role.EDITOR: document_pb2.ROLE_EDITOR,
    Role.MANAGER: document_pb2.ROLE_MANAGER,
}
_ROLES_READ = {number: role for role, number in _ROLES.items() if role is not Role.NONE}


def facts(node: Node, deed: Deed) -> list[OutboxRecord]:
    """What a write of the node, as it is after the deed, says to others: the audit record, and the event if any."""
    at = deed.act.at
    events = [fact(event, id=new_id(), at=at) for event in _events(node, deed)]
    audit_id = new_id()
    audit = telemetry.audit.action(
        deed.verb,
        id=audit_id,
        at=at,
        entity_id=node.entity_id,
        actor=deed.act.subject.person_id,
        actor_entity_id=deed.act.subject.entity_id,
        resource=node.node_id,
        details=_details(node, deed),
    )
    return [*events, fact(audit, id=audit_id, at=at)]


def _events(node: Node, deed: Deed) -> list[Message]:
    match deed.verb, deed.grant:
        case Verb.STORE, None:
            return [events_pb2.FileStored(node_id=node.node_id, node=to_node(node))]
        case Verb.SHARE, Grant() as given:
            return [
                events_pb2.NodeShared(
                    node_id=node.node_id, entity_id=node.entity_id, name=node.name, grant=to_grant(node.node_id, given)
                )
            ]
        case Verb.UNSHARE, Grant() as taken:
            return [
                events_pb2.NodeUnshared(
                    node_id=node.node_id, entity_id=node.entity_id, grant=to_grant(node.node_id, taken)
                )
            ]
        case Verb.TRASH, None:
            return [events_pb2.NodeTrashed(node_id=node.node_id, entity_id=node.entity_id)]
        case _:
            return []


def _details(node: Node, deed: Deed) -> dict[str, str]:
    if deed.grant is not None:
        return {"grantee": str(deed.grant.grantee), "role": deed.grant.role.name.lower()}
    if deed.verb is Verb.STORE:
        return {"version": str(node.versions[-1].number), "sha256": node.versions[-1].sha256}
    return {}


def to_space(top: Node) -> document_pb2.Space:
    """The space of which this is the top folder."""
    return document_pb2.Space(
        space_id=top.space_id, entity_id=top.entity_id, name=top.name, owner_person_id=top.owner_person_id
    )


def to_node(node: Node) -> document_pb2.Node:
    return document_pb2.Node(
        node_id=node.node_id,
        space_id=node.space_id,
        parent_id=node.parent_id,
        entity_id=node.entity_id,
        kind=_KINDS[node.kind],
        name=node.name,
        version=to_version(node.versions[-1]) if node.versions else None,
        etag=node.etag,
        created_at=_timestamp(node.created_at),
        updated_at=_timestamp(node.updated_at),
        trashed=node.trashed,
    )


def to_version(version: Version) -> document_pb2.Version:
    return document_pb2.Version(
        number=version.number,
        size=version.size,
        sha256=version.sha256,
        media_type=version.media_type,
        author_id=version.author_id,
        created_at=_timestamp(version.created_at),
    )


def to_grant(node_id: str, grant: Grant) -> document_pb2.Grant:
    return document_pb2.Grant(
        grant_id=grant.grant_id,
        node_id=node_id,
        grantee=document_pb2.Grantee(**{f"{grant.grantee.kind}_id": grant.grantee.id}),
        role=_ROLES[grant.role],
        granted_by=grant.granted_by,
        granted_at=_timestamp(grant.granted_at),
    )


def to_role(role: Role) -> document_pb2.Role.ValueType:
    return _ROLES[role]


def read_grantee(grantee: document_pb2.Grantee) -> Grantee:
    """Raises:
    Invalid: it names nobody.
    """
    field = grantee.WhichOneof("grantee")
    if field is None:
        raise Invalid("a grantee is a person, a group or an entity", reason="GRANTEE")
    return Grantee(GranteeKind(field.removesuffix("_id")), getattr(grantee, field))


def read_role(role: document_pb2.Role.ValueType) -> Role:
    """Raises:
    Invalid: it is none of this version of the contract.
    """
    if role not in _ROLES_READ:
        raise Invalid("there is no such role", reason="ROLE")
    return _ROLES_READ[role]


def _timestamp(at: datetime) -> Timestamp:
    timestamp = Timestamp()
    timestamp.FromDatetime(at)
    return timestamp
