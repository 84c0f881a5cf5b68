"""The evaluator against two oracles that work by other ways: closures over plain sets, slowly, and Cedar."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import NamedTuple

import cedarpy
from document.domain.permissions import (
    STAGES,
    Decision,
    Grant,
    Grantee,
    GranteeKind,
    Label,
    Role,
    Rule,
    Subject,
    decide,
)
from hypothesis import given, settings
from hypothesis import strategies as st

AT = datetime(2026, 1, 1, tzinfo=UTC)
HOME = "e1"
PEOPLE, ENTITIES, GROUPS = ("p1", "p2"), (HOME, "e2"), ("g1", "g2", "g3")
ROLES = (Role.READER, Role.EDITOR, Role.MANAGER)


class Level(NamedTuple):
    node_id: str
    grants: Sequence[Grant]
    label: Label
    trashed: bool
    entity_id: str = HOME


IDS = {
    GranteeKind.PERSON: PEOPLE,
    GranteeKind.GROUP: GROUPS,
    GranteeKind.ENTITY: ENTITIES,
    GranteeKind.SERVICE: ("s1", "p1"),
    GranteeKind.CITIZEN: ("c1", "p1"),
}
GRANTEES = st.one_of(*(st.builds(Grantee, st.just(kind), st.sampled_from(ids)) for kind, ids in IDS.items()))
GRANTS = st.builds(
    Grant,
    st.uuids().map(str),
    GRANTEES,
    st.sampled_from(ROLES),
    st.just("p0"),
    st.just(AT),
    st.sampled_from([False, False, True]),
)
LABELS = st.sampled_from([Label.NONE] * 12 + list(Label))
TRASHED = st.sampled_from([False] * 12 + [True])
PATHS = st.lists(st.tuples(st.lists(GRANTS, max_size=4), LABELS, TRASHED), min_size=1, max_size=10).map(
    lambda levels: [Level(f"n{depth}", *level) for depth, level in enumerate(levels)]
)
SUBJECTS = st.one_of(
    st.builds(
        Subject,
        st.just(GranteeKind.PERSON),
        st.sampled_from(PEOPLE),
        st.sampled_from(ENTITIES),
        st.frozensets(st.sampled_from(GROUPS), max_size=3),
    ),
    st.builds(
        Subject, st.just(GranteeKind.SERVICE), st.sampled_from(IDS[GranteeKind.SERVICE]), st.sampled_from(("", HOME))
    ),
    st.builds(Subject, st.just(GranteeKind.CITIZEN), st.sampled_from(IDS[GranteeKind.CITIZEN]), st.just("")),
)


def oracle(subject: Subject, path: list[Level]) -> Role:
    """All (node, role) pairs, closed under "a role holds those below it" and "what is above holds below"."""
    me = {f"{subject.kind}:{subject.id}"} | {f"group:{group}" for group in GROUPS if group in subject.groups}
    if subject.kind is GranteeKind.PERSON:
        me.add(f"entity:{subject.entity_id}")
    strictest = max(level.label for level in path)
    stranger = subject.entity_id != HOME
    if (strictest >= Label.CONFIDENTIAL and stranger) or (strictest >= Label.INTERNAL and subject.kind == "citizen"):
        return Role.NONE
    by_name = {one for one in me if not one.startswith("entity:")}
    held = closed(path, me if strictest < Label.CLINICAL else by_name, deny=False)
    managers = {str(g.grantee) for g in path[0].grants if g.role is Role.MANAGER and not g.deny}
    if not me & managers:
        held -= closed(path, me, deny=True)
    if any(level.trashed for level in path):
        return Role.READER if Role.EDITOR in held else Role.NONE
    return max(held, default=Role.NONE)


def closed(path: list[Level], me: set[str], *, deny: bool) -> set[Role]:
    """The roles at the end of the path that are granted, or denied: a grant holds lower ones, a denial higher ones."""
    held = {
        (level.node_id, grant.role)
        for level in path
        for grant in level.grants
        if grant.deny is deny and str(grant.grantee) in me
    }
    parents = {below.node_id: above.node_id for above, below in pairwise(path)}
    before: set[tuple[str, Role]] = set()
    while before != held:
        before = set(held)
        held |= {(below, role) for below, above in parents.items() for node, role in before if node == above}
        held |= {(node, other) for node, role in before for other in ROLES if (other > role) is deny}
    return {role for node, role in held if node == path[-1].node_id}


def cedar(subject: Subject, path: list[Level]) -> Role:
    """What Cedar says of the same grants written as policies; what lies in the trash is read by who could edit it."""
    end = path[-1].node_id
    clinical = " || ".join(f'resource in Node::"{level.node_id}"' for level in path if level.label is Label.CLINICAL)
    policies = [policy for level in path for grant in level.grants for policy in policies_of(level, grant, clinical)]
    policies += [policy for level in path for policy in policies_of_label(level)]

    def allowed(role: Role) -> bool:
        request = {
            "principal": f'{subject.kind.title()}::"{subject.id}"',
            "action": f'Action::"{role.name}"',
            "resource": f'Node::"{end}"',
            "context": {},
        }
        answer = cedarpy.is_authorized(request, "\n".join(policies), list(entities(subject, path)))
        assert not answer.diagnostics.errors
        return answer.allowed

    if any(level.trashed for level in path):
        return Role.READER if allowed(Role.EDITOR) else Role.NONE
    return max((role for role in ROLES if allowed(role)), default=Role.NONE)


def policies_of(level: Level, grant: Grant, clinical: str) -> Iterator[str]:
    meant = [role for role in ROLES if (role >= grant.role if grant.deny else role <= grant.role)]
    actions = ", ".join(f'Action::"{role.name}"' for role in meant)
    who = f'principal in {grant.grantee.kind.title()}::"{grant.grantee.id}"'
    scope = f'({who}, action in [{actions}], resource in Node::"{level.node_id}")'
    if grant.deny:
        yield f'forbid{scope} unless {{ principal in Managers::"the space" }};'
    elif grant.grantee.kind is GranteeKind.ENTITY and clinical:
        yield f"permit{scope} unless {{ {clinical} }};"
    else:
        yield f"permit{scope};"


def policies_of_label(level: Level) -> Iterator[str]:
    node = f'resource in Node::"{level.node_id}"'
    if level.label is Label.INTERNAL:
        yield f"forbid(principal is Citizen, action, {node});"
    elif level.label > Label.INTERNAL:
        yield f'forbid(principal, action, {node}) unless {{ principal.entity == "{HOME}" }};'


def entities(subject: Subject, path: list[Level]) -> Iterator[dict[str, object]]:
    managers = {grant.grantee for grant in path[0].grants if grant.role is Role.MANAGER and not grant.deny}
    me = subject.grantee
    mine = [Grantee(GranteeKind.GROUP, group) for group in GROUPS if group in subject.groups]
    if subject.kind is GranteeKind.PERSON:
        mine.append(Grantee(GranteeKind.ENTITY, subject.entity_id))
    for one in (me, *mine):
        parents = [uid(other) for other in mine] if one is me else []
        parents += [{"type": "Managers", "id": "the space"}] if one in managers else []
        yield {"uid": uid(one), "attrs": {"entity": subject.entity_id}, "parents": parents}
    for above, below in pairwise((None, *path)):
        assert below
        parents = [{"type": "Node", "id": above.node_id}] if above else []
        yield {"uid": {"type": "Node", "id": below.node_id}, "attrs": {}, "parents": parents}


def uid(grantee: Grantee) -> dict[str, str]:
    return {"type": grantee.kind.title(), "id": grantee.id}


@settings(max_examples=500, deadline=None)
@given(SUBJECTS, PATHS)
def test_the_role_is_that_of_the_oracle(subject: Subject, path: list[Level]):
    assert decide(subject, path).role is oracle(subject, path)


@settings(max_examples=120, deadline=None)
@given(SUBJECTS, PATHS)
def test_the_role_is_the_one_that_cedar_gives(subject: Subject, path: list[Level]):
    assert decide(subject, path).role is cedar(subject, path)


@settings(deadline=None)
@given(SUBJECTS, PATHS)
def test_the_reasons_are_the_whole_derivation(subject: Subject, path: list[Level]):
    """Whoever knows only the reasons arrives at the same role, and each grant in them stands where it says."""
    decision = decide(subject, path)
    assert decision.role is (decision.reasons[-1].role if decision.reasons else Role.NONE)
    levels = {level.node_id: level for level in path}
    role = Role.NONE
    for reason in decision.reasons:
        level = levels[reason.node_id]
        match reason.rule:
            case Rule.GRANT | Rule.DENY:
                assert reason.grant is not None
                assert reason.grant in level.grants
                assert reason.grant.deny is (reason.rule is Rule.DENY)
                assert subject.is_one_of(reason.grant.grantee)
                expected = Role(reason.grant.role - 1) if reason.grant.deny else max(role, reason.grant.role)
                assert reason.role is expected
            case Rule.LABEL:
                assert reason.label is level.label
                assert reason.role < role
            case Rule.TRASH:
                assert level.trashed
        role = reason.role


@settings(deadline=None)
@given(SUBJECTS, PATHS, GRANTS)
def test_a_grant_takes_nothing_away_and_a_denial_gives_nothing(subject: Subject, path: list[Level], grant: Grant):
    before = decide(subject, path).role
    after = decide(subject, [*path[:-1], path[-1]._replace(grants=(*path[-1].grants, grant))]).role
    assert after <= before if grant.deny else after >= before


@settings(deadline=None)
@given(SUBJECTS, PATHS, st.sampled_from(Label))
def test_a_label_gives_nothing(subject: Subject, path: list[Level], label: Label):
    stricter = [*path[:-1], path[-1]._replace(label=max(label, path[-1].label))]
    assert decide(subject, stricter).role <= decide(subject, path).role


def test_the_order_of_the_stages_is_pinned():
    assert [stage.__name__ for stage in STAGES] == ["_granted", "_denied", "_labelled", "_in_trash"]


def person(*groups: str, entity_id: str = HOME) -> Subject:
    return Subject(GranteeKind.PERSON, "p1", entity_id, groups)


def test_nobody_gets_anything_by_default():
    assert decide(person(), ()) == Decision(Role.NONE, ())
    assert decide(person(), ()).why() == "nothing on the node or above it grants them anything"


def test_who_has_the_id_of_somebody_else_is_not_them():
    grant = Grant("r1", Grantee(GranteeKind.PERSON, "p1"), Role.EDITOR, "p0", AT)
    top = Level("top", (grant,), Label.NONE, trashed=False)
    callers = (GranteeKind.PERSON, GranteeKind.SERVICE, GranteeKind.CITIZEN)
    roles = [decide(Subject(kind, "p1", HOME), [top]).role for kind in callers]
    assert roles == [Role.EDITOR, Role.NONE, Role.NONE]


def test_why_says_each_step():
    grant = Grant("r1", Grantee(GranteeKind.GROUP, "g1"), Role.MANAGER, "p0", AT)
    denial = Grant("r2", Grantee(GranteeKind.PERSON, "p1"), Role.MANAGER, "p0", AT, deny=True)
    path = [
        Level("top", (), Label.NONE, False),
        Level("folder", (grant,), Label.CONFIDENTIAL, False),
        Level("file", (denial,), Label.NONE, True),
    ]
    assert decide(person("g1"), path).why() == (
        "group:g1 is MANAGER of folder by grant r1; "
        "person:p1 is less than MANAGER of file by grant r2, which leaves EDITOR; "
        "file lies in the trash, which leaves READER"
    )
    assert decide(person("g1", entity_id="e2"), path[:2]).why() == (
        "group:g1 is MANAGER of folder by grant r1; folder is CONFIDENTIAL, which leaves NONE"
    )
