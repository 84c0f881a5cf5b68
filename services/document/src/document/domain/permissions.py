"""Who may do what with a node: one evaluator, pure, that can explain each answer.

A decision is made in stages, in the one order of `STAGES`. Each stage sees the role that the ones
before it arrived at and changes it by giving reasons; so the reasons, read in order, are the whole
derivation. Deny, labels, consent, break-glass and holds are further stages.
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


class GranteeKind(StrEnum):
    PERSON = "person"
    GROUP = "group"
    ENTITY = "entity"


@dataclass(frozen=True, slots=True)
class Grantee:
    """Who gets a role: a person, the members of a group, or everybody of an entity."""

    kind: GranteeKind
    id: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.id}"


@dataclass(frozen=True, slots=True)
class Grant:
    """A role on a node and all below it."""

    grant_id: str
    grantee: Grantee
    role: Role
    granted_by: str
    granted_at: datetime


@dataclass(frozen=True, slots=True)
class Subject:
    """Whose wish is judged. `groups` answers whether they are a member, nested groups counted."""

    person_id: str
    entity_id: str
    groups: Container[str]

    def is_one_of(self, grantee: Grantee) -> bool:
        match grantee.kind:
            case GranteeKind.PERSON:
                return grantee.id == self.person_id
            case GranteeKind.ENTITY:
                return grantee.id == self.entity_id
            case GranteeKind.GROUP:
                return grantee.id in self.groups


class Guarded(Protocol):
    """What the evaluator reads of a node."""

    @property
    def node_id(self) -> str: ...
    @property
    def grants(self) -> Sequence[Grant]: ...
    @property
    def trashed(self) -> bool: ...


class Rule(StrEnum):
    """Which rule gave a reason."""

    GRANT = "grant"
    TRASH = "trash"


@dataclass(frozen=True, slots=True)
class Reason:
    """One step of a decision: the role after it, the rule, the node where it lies and the grant if there is one."""

    role: Role
    rule: Rule
    node_id: str
    grant: Grant | None = None

    def __str__(self) -> str:
        if self.grant is not None:
            return f"{self.grant.grantee} is {self.grant.role.name} of {self.node_id} by grant {self.grant.grant_id}"
        return f"{self.node_id} lies in the trash, which leaves {self.role.name}"


@dataclass(frozen=True, slots=True)
class Decision:
    """The role that a subject has on the last node of a path, and how it came to be."""

    role: Role
    reasons: tuple[Reason, ...]

    def why(self) -> str:
        """The reasons as sentences, in the order in which they counted."""
        return "; ".join(map(str, self.reasons)) or "no grant on the node or above it is for the caller"


Path = Sequence[Guarded]
"""A node and those above it, the top folder of its space first."""

Stage = Callable[[Subject, Path, Role], Iterator[Reason]]


def _granted(subject: Subject, path: Path, role: Role) -> Iterator[Reason]:
    """The highest role that any grant on the way gives."""
    for node in path:
        for grant in node.grants:
            if subject.is_one_of(grant.grantee):
                role = max(role, grant.role)
                yield Reason(role, Rule.GRANT, node.node_id, grant)


def _in_trash(_subject: Subject, path: Path, role: Role) -> Iterator[Reason]:
    """What lies in the trash is out of sight; who may edit it may still look, to know what to restore."""
    for node in path:
        if node.trashed:
            yield Reason(Role.READER if role >= Role.EDITOR else Role.NONE, Rule.TRASH, node.node_id)
            return


STAGES: tuple[Stage, ...] = (_granted, _in_trash)


def decide(subject: Subject, path: Path) -> Decision:
    """What the subject may do with the last node of the path."""
    role, reasons = Role.NONE, list[Reason]()
    for stage in STAGES:
        for reason in stage(subject, path, role):
            role = reason.role
            reasons.append(reason)
    return Decision(role, tuple(reasons))
