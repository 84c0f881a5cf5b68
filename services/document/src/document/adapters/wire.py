"""Domain objects as messages of rossio.document.v1, and the facts about a deed."""

from collections.abc import Iterator, Mapping
from datetime import datetime

from errors import Invalid
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from messaging import audited, fact, new_id
from rossio.document.v1 import document_pb2, events_pb2, service_pb2
from store import OutboxRecord

from document.application.resumable import Progress
from document.domain.content import Announced
from document.domain.deeds import Deed, Verb
from document.domain.links import Link
from document.domain.node import Act, Kind, Lock, Node, Version
from document.domain.permissions import Grant, Grantee, GranteeKind, Label, Reason, Role, Rule
from document.domain.quota import UNLIMITED, Recounted, Usage
from document.domain.uploading import Target, target_of

_KINDS = {Kind.FOLDER: document_pb2.NODE_KIND_FOLDER, Kind.FILE: document_pb2.NODE_KIND_FILE}
_ROLES = {
    Role.NONE: document_pb2.ROLE_UNSPECIFIED,
    Role.READER: document_pb2.ROLE_READER,
    Role.EDITOR: document_pb2.ROLE_EDITOR,
    Role.MANAGER: document_pb2.ROLE_MANAGER,
}
_LABELS = {label: document_pb2.Label.ValueType(label.value) for label in Label}
_RULES = {
    Rule.GRANT: document_pb2.RULE_GRANT,
    Rule.DENY: document_pb2.RULE_DENY,
    Rule.LABEL: document_pb2.RULE_LABEL,
    Rule.TRASH: document_pb2.RULE_TRASH,
}
_STORING = frozenset({Verb.STORE, Verb.RESTORE_VERSION, Verb.COPY})
_ONLY_AUDITED = frozenset({Verb.CREATE_SPACE, Verb.CREATE_FOLDER, Verb.CREATE_LINK, Verb.USE_LINK, Verb.REVOKE_LINK})
_ROLES_READ = {number: role for role, number in _ROLES.items() if role is not Role.NONE}


def facts(node: Node, deed: Deed) -> list[OutboxRecord]:
    """What a write of the node, as it is after the deed, says to others: the audit record, and the event if any."""
    at = deed.act.at
    events = [fact(event, id=new_id(), at=at) for event in _events(node, deed)]
    audit = audited(
        deed.verb,
        at=at,
        entity_id=node.entity_id,
        actor=deed.act.subject.id,
        actor_entity_id=deed.act.subject.entity_id,
        resource=node.node_id,
        details=_details(node, deed),
    )
    return [*events, audit]


def quota_set(holder: str, limit: int, entity_id: str, act: Act) -> OutboxRecord:
    return _of_quota("document.quota.set", holder, entity_id, act, {"limit": str(limit)})


def quota_recounted(holder: str, counted: int, held: int, entity_id: str, act: Act) -> OutboxRecord:
    return _of_quota("document.quota.recount", holder, entity_id, act, {"counted": str(counted), "held": str(held)})


def _of_quota(name: str, holder: str, entity_id: str, act: Act, details: Mapping[str, str]) -> OutboxRecord:
    return audited(
        name,
        at=act.at,
        entity_id=entity_id,
        actor=act.subject.id,
        actor_entity_id=act.subject.entity_id,
        resource=holder,
        details=details,
    )


def to_recounted(recounted: Recounted) -> service_pb2.Recounted:
    kind, _, holder_id = recounted.holder.partition(":")
    space_id = holder_id if kind == "space" else ""
    return service_pb2.Recounted(space_id=space_id, counted=recounted.counted, held=recounted.held)


def to_usage(usage: Usage) -> document_pb2.Usage:
    return document_pb2.Usage(used=usage.used, limit=0 if usage.limit == UNLIMITED else usage.limit)


def _events(node: Node, deed: Deed) -> Iterator[Message]:
    """Nobody is told that they were denied something."""
    if deed.grant is not None:
        if not deed.grant.deny:
            yield _of_grant(node, deed.verb, to_grant(node.node_id, deed.grant))
    elif deed.verb in _STORING and node.kind is Kind.FILE:
        yield events_pb2.FileStored(node_id=node.node_id, node=to_node(node))
    elif deed.verb is Verb.TRASH:
        yield events_pb2.NodeTrashed(node_id=node.node_id, entity_id=node.entity_id)
    elif deed.verb is Verb.PURGE:
        yield events_pb2.NodePurged(node_id=node.node_id, entity_id=node.entity_id)
    elif deed.verb not in _ONLY_AUDITED:
        yield events_pb2.NodeChanged(node_id=node.node_id, node=to_node(node))


def _of_grant(node: Node, verb: Verb, grant: document_pb2.Grant) -> Message:
    if verb is Verb.UNSHARE:
        return events_pb2.NodeUnshared(node_id=node.node_id, entity_id=node.entity_id, grant=grant)
    return events_pb2.NodeShared(node_id=node.node_id, entity_id=node.entity_id, name=node.name, grant=grant)


def _details(node: Node, deed: Deed) -> dict[str, str]:
    if deed.grant is not None:
        given = {"grantee": str(deed.grant.grantee), "role": deed.grant.role.name.lower()}
        return {**given, "deny": "true"} if deed.grant.deny else given
    if deed.verb is Verb.STORE:
        return {"version": str(node.versions[-1].number), "sha256": node.versions[-1].sha256}
    if deed.verb is Verb.MOVE:
        return {"parent_id": node.parent_id}
    if deed.verb is Verb.LABEL:
        return {"label": node.label.name.lower()}
    if deed.link_id:
        return {"link_id": deed.link_id}
    return {"version": str(deed.version)} if deed.version else {}


def link_ending(link: Link, node: Node) -> OutboxRecord:
    """What the maker of a link is told before it ends."""
    event = events_pb2.LinkEnding(
        node_id=node.node_id,
        entity_id=node.entity_id,
        name=node.name,
        link_id=link.link_id,
        maker=_to_grantee(link.maker.grantee),
        expires_at=_timestamp(link.expires_at),
    )
    return fact(event, id=new_id(), at=link.tell_at)


def to_link(link: Link) -> document_pb2.Link:
    return document_pb2.Link(
        link_id=link.link_id,
        node_id=link.node_id,
        maker=_to_grantee(link.maker.grantee),
        created_at=_timestamp(link.created_at),
        expires_at=_timestamp(link.expires_at),
        max_uses=link.max_uses,
        used=link.used,
        password=bool(link.password_hash),
        revoked=link.revoked,
    )


def to_linked(node: Node) -> document_pb2.Node:
    """What whoever holds a link is told of the file: nothing of where it lies."""
    return document_pb2.Node(
        node_id=node.node_id, kind=_KINDS[node.kind], name=node.name, version=to_version(node.versions[-1])
    )


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
        label=_LABELS[node.label],
        lock=_to_lock(node.lock) if node.lock else None,
    )


def _to_lock(lock: Lock) -> document_pb2.Lock:
    return document_pb2.Lock(owner=_to_grantee(lock.owner), until=_timestamp(lock.until))


def to_upload(progress: Progress) -> document_pb2.Upload:
    return document_pb2.Upload(
        upload_id=progress.uploading.upload_id,
        offset=progress.offset,
        size=progress.uploading.announced.size,
        expires_at=_timestamp(progress.uploading.expires_at),
        node=to_node(progress.node) if progress.node else None,
    )


def read_announced(header: service_pb2.UploadHeader) -> Announced:
    return Announced.read(size=header.size, sha256=header.sha256, media_type=header.media_type)


def read_target(header: service_pb2.UploadHeader) -> Target:
    return target_of(parent_id=header.parent_id, name=header.name, node_id=header.node_id, etag=header.etag)


def to_version(version: Version) -> document_pb2.Version:
    return document_pb2.Version(
        number=version.number,
        size=version.size,
        sha256=version.sha256,
        media_type=version.media_type,
        author_id=version.author_id,
        created_at=_timestamp(version.created_at),
        frozen=version.frozen,
    )


def to_grant(node_id: str, grant: Grant) -> document_pb2.Grant:
    return document_pb2.Grant(
        grant_id=grant.grant_id,
        node_id=node_id,
        grantee=_to_grantee(grant.grantee),
        role=_ROLES[grant.role],
        granted_by=grant.granted_by,
        granted_at=_timestamp(grant.granted_at),
        deny=grant.deny,
    )


def _to_grantee(grantee: Grantee) -> document_pb2.Grantee:
    return document_pb2.Grantee(**{f"{grantee.kind}_id": grantee.id})


def to_reason(reason: Reason) -> document_pb2.Reason:
    return document_pb2.Reason(
        role=_ROLES[reason.role],
        rule=_RULES[reason.rule],
        node_id=reason.node_id,
        grant=to_grant(reason.node_id, reason.grant) if reason.grant else None,
        label=_LABELS[reason.label],
        text=str(reason),
    )


def to_label(label: Label) -> document_pb2.Label.ValueType:
    return _LABELS[label]


def read_label(label: document_pb2.Label.ValueType) -> Label:
    """Raises:
    Invalid: it is none of this version of the contract.
    """
    try:
        return Label(label)
    except ValueError:
        raise Invalid("there is no such label", reason="LABEL") from None


def to_role(role: Role) -> document_pb2.Role.ValueType:
    return _ROLES[role]


def read_grantee(grantee: document_pb2.Grantee) -> Grantee:
    """Raises:
    Invalid: it names nobody.
    """
    field = grantee.WhichOneof("grantee")
    if field is None:
        raise Invalid("a grantee is a person, a group, an entity, a service or a citizen", reason="GRANTEE")
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
