"""Who may do what with a node: one evaluator, pure, that can explain each answer.

A decision is made in stages, in the one order of `STAGES`. Each stage sees the role that the ones
before it arrived at and changes it by giving reasons; so the reasons, read in order, are the whole
derivation. Consent, break-glass and holds are further stages.
"""

from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum, StrEnum
from typing import Protocol


class Role(IntEnum):
    """What somebody may do; each role holds those before it."""

    NONE = 0
    READER = 1
    EDITOR = 2
    MANAGER = 3


class Label(IntEnum):
    """How far a node may go, whatever was granted; each is stricter than those before it."""

    NONE = 0
    """As the folder above; at the top: as public."""
    PUBLIC = 1
    """To whomever it was granted."""
    INTERNAL = 2
    """Not beyond the ministry."""
    CONFIDENTIAL = 3
    """Not beyond its own entity."""
    CLINICAL = 4
    """Not beyond its own entity, and there only to those who were granted it as persons, services or members."""


class GranteeKind(StrEnum):
    PERSON = "person"
    GROUP = "group"
    ENTITY = "entity"
    SERVICE = "service"
    CITIZEN = "citizen"
    LINK = "link"


@dataclass(frozen=True, slots=True)
class Grantee:
    """Who gets a role: a person, service, citizen or bearer of a link, a group's members, or an entity's people."""

    kind: GranteeKind
    id: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.id}"


@dataclass(frozen=True, slots=True)
class Grant:
    """A role on a node and all below it; with `deny` less than that role, whatever else was granted."""

    grant_id: str
    grantee: Grantee
    role: Role
    granted_by: str
    granted_at: datetime
    deny: bool = False

    def __str__(self) -> str:
        return f"{'less than ' if self.deny else ''}{self.role.name}"


@dataclass(frozen=True, slots=True)
class Subject:
    """Whose wish is judged: a person, a service, or a citizen or the bearer of a link, who belong to no entity.

    `groups` answers whether they are a member, nested groups counted.
    """

    kind: GranteeKind
    id: str
    entity_id: str
    groups: Container[str] = ()

    @property
    def grantee(self) -> Grantee:
        return Grantee(self.kind, self.id)

    def is_one_of(self, grantee: Grantee) -> bool:
        """Everybody of an entity are its people: services of it are granted things by themselves."""
        kind = grantee.kind
        if kind is GranteeKind.GROUP:
            return grantee.id in self.groups
        if kind is GranteeKind.ENTITY:
            return grantee.id == self.entity_id and self.kind is GranteeKind.PERSON
        return grantee.id == self.id and kind is self.kind


class Guarded(Protocol):
    """What the evaluator reads of a node."""

    @property
    def node_id(self) -> str: ...
    @property
    def entity_id(self) -> str: ...
    @property
    def grants(self) -> Sequence[Grant]: ...
    @property
    def label(self) -> Label: ...
    @property
    def trashed(self) -> bool: ...


class Rule(StrEnum):
    """Which rule gave a reason."""

    GRANT = "grant"
    DENY = "deny"
    LABEL = "label"
    TRASH = "trash"


@dataclass(frozen=True, slots=True)
class Reason:
    """One step of a decision: the role after it, the rule, the node where it lies, and the grant or label of it."""

    role: Role
    rule: Rule
    node_id: str
    grant: Grant | None = None
    label: Label = Label.NONE

    def __str__(self) -> str:
        if self.grant is not None:
            held = f"{self.grant.grantee} is {self.grant} of {self.node_id} by grant {self.grant.grant_id}"
            return f"{held}, which leaves {self.role.name}" if self.grant.deny else held
        why = "lies in the trash" if self.rule is Rule.TRASH else f"is {self.label.name}"
        return f"{self.node_id} {why}, which leaves {self.role.name}"


@dataclass(frozen=True, slots=True)
class Decision:
    """The role that a subject has on the last node of a path, and how it came to be."""

    role: Role
    reasons: tuple[Reason, ...]

    def why(self) -> str:
        """The reasons as sentences, in the order in which they counted."""
        return "; ".join(map(str, self.reasons)) or "nothing on the node or above it grants them anything"


Path = Sequence[Guarded]
"""A node and those above it, the top folder of its space first."""

Stage = Callable[[Subject, Path, Role], Iterator[Reason]]


def _granted(subject: Subject, path: Path, role: Role) -> Iterator[Reason]:
    """The highest role that any grant on the way gives."""
    for node in path:
        for grant in node.grants:
            if not grant.deny and subject.is_one_of(grant.grantee):
                role = max(role, grant.role)
                yield Reason(role, Rule.GRANT, node.node_id, grant)


def _denied(subject: Subject, path: Path, role: Role) -> Iterator[Reason]:
    """What any denial on the way leaves.

    None holds for the managers of the space, so that nobody can be shut out of what they answer for.
    """
    for node in path:
        for grant in node.grants:
            if grant.deny and grant.role <= role and subject.is_one_of(grant.grantee):
                if _by_grants(subject, path[:1]) is Role.MANAGER:
                    return
                role = Role(grant.role - 1)
                yield Reason(role, Rule.DENY, node.node_id, grant)


def _labelled(subject: Subject, path: Path, role: Role) -> Iterator[Reason]:
    """What the strictest label on the way leaves."""
    label = label_of(path)
    if label <= Label.PUBLIC or role is Role.NONE:
        return
    left: Role = role
    if not may_reach(label, subject, path[0].entity_id):
        left = Role.NONE
    elif label is Label.CLINICAL:
        left = min(role, _by_grants(subject, path, but=GranteeKind.ENTITY))
    if left < role:
        node = next(node for node in path if node.label is label)
        yield Reason(left, Rule.LABEL, node.node_id, label=label)


def _in_trash(_subject: Subject, path: Path, role: Role) -> Iterator[Reason]:
    """What lies in the trash is out of sight; who may edit it may still look, to know what to restore."""
    for node in path:
        if node.trashed:
            yield Reason(Role.READER if role >= Role.EDITOR else Role.NONE, Rule.TRASH, node.node_id)
            return


STAGES: tuple[Stage, ...] = (_granted, _denied, _labelled, _in_trash)


def decide(subject: Subject, path: Path) -> Decision:
    """What the subject may do with the last node of the path."""
    role, reasons = Role.NONE, list[Reason]()
    for stage in STAGES:
        for reason in stage(subject, path, role):
            role = reason.role
            reasons.append(reason)
    return Decision(role, tuple(reasons))


_OUTSIDERS = frozenset({GranteeKind.CITIZEN, GranteeKind.LINK})


def label_of(path: Path) -> Label:
    """The label in force at the end of the path: the strictest on the way."""
    return max((node.label for node in path), default=Label.NONE)


def may_reach(label: Label, subject: Subject, entity_id: str) -> bool:
    """Whether something of this entity that bears the label may reach the subject at all."""
    if label >= Label.CONFIDENTIAL:
        return subject.entity_id == entity_id
    return label < Label.INTERNAL or subject.kind not in _OUTSIDERS


def _by_grants(subject: Subject, path: Path, but: GranteeKind | None = None) -> Role:
    """The highest role that grants give, those for a kind of grantee left out."""
    held = (
        grant.role
        for node in path
        for grant in node.grants
        if not grant.deny and grant.grantee.kind is not but and subject.is_one_of(grant.grantee)
    )
    return max(held, default=Role.NONE)
