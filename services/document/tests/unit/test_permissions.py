"""The evaluator against an oracle that works by another way: closures over plain sets, slowly."""

from datetime import UTC, datetime
from itertools import pairwise
from typing import NamedTuple

from document.domain.permissions import (
    STAGES,
    Decision,
    Grant,
    Grantee,
    GranteeKind,
    Role,
    Rule,
    Subject,
    decide,
)
from hypothesis import given, settings
from hypothesis import strategies as st

AT = datetime(2026, 1, 1, tzinfo=UTC)
PEOPLE, ENTITIES, GROUPS = ("p1", "p2"), ("e1", "e2"), ("g1", "g2", "g3")


class Level(NamedTuple):
    node_id: str
    grants: tuple[Grant, ...]
    trashed: bool


GRANTEES = st.one_of(
    st.builds(Grantee, st.just(GranteeKind.PERSON), st.sampled_from(PEOPLE)),
    st.builds(Grantee, st.just(GranteeKind.GROUP), st.sampled_from(GROUPS)),
    st.builds(Grantee, st.just(GranteeKind.ENTITY), st.sampled_from(ENTITIES)),
)
GRANTS = st.builds(
    Grant,
    st.uuids().map(str),
    GRANTEES,
    st.sampled_from([Role.READER, Role.EDITOR, Role.MANAGER]),
    st.just("p0"),
    st.just(AT),
)
TRASHED = st.sampled_from([False] * 9 + [True])
PATHS = st.lists(st.tuples(st.lists(GRANTS, max_size=3), TRASHED), min_size=1, max_size=10).map(
    lambda levels: [Level(f"n{depth}", tuple(grants), trashed) for depth, (grants, trashed) in enumerate(levels)]
)
SUBJECTS = st.builds(
    Subject, st.sampled_from(PEOPLE), st.sampled_from(ENTITIES), st.frozensets(st.sampled_from(GROUPS), max_size=3)
)


def oracle(subject: Subject, path: list[Level]) -> Role:
    """All (node, role) pairs, closed under "a role holds those below it" and "what is above holds below"."""
    me = {f"person:{subject.person_id}", f"entity:{subject.entity_id}"}
    me |= {f"group:{group}" for group in GROUPS if group in subject.groups}
    held = {(level.node_id, grant.role) for level in path for grant in level.grants if str(grant.grantee) in me}
    parents = {below.node_id: above.node_id for above, below in pairwise(path)}
    before: set[tuple[str, Role]] = set()
    while before != held:
        before = set(held)
        held |= {(below, role) for below, above in parents.items() for node, role in before if node == above}
        held |= {(node, lower) for node, role in before for lower in Role if Role.NONE < lower < role}
    roles = {role for node, role in held if node == path[-1].node_id}
    if {level.trashed for level in path} == {False}:
        return max(roles, default=Role.NONE)
    return Role.READER if Role.EDITOR in roles else Role.NONE


@settings(max_examples=500, deadline=None)
@given(SUBJECTS, PATHS)
def test_the_role_is_that_of_the_oracle(subject: Subject, path: list[Level]):
    assert decide(subject, path).role is oracle(subject, path)


@settings(deadline=None)
@given(SUBJECTS, PATHS)
def test_the_reasons_are_the_whole_derivation(subject: Subject, path: list[Level]):
    """Whoever knows only the reasons arrives at the same role, and each grant in them stands where it says."""
    decision = decide(subject, path)
    assert decision.role is (decision.reasons[-1].role if decision.reasons else Role.NONE)
    grants_at = {level.node_id: level.grants for level in path}
    for reason in decision.reasons:
        assert (reason.rule is Rule.GRANT) == (reason.grant in grants_at[reason.node_id])
    given_by_them = max((r.grant.role for r in decision.reasons if r.grant), default=Role.NONE)
    assert decision.role in {given_by_them, Role.READER, Role.NONE}


@settings(deadline=None)
@given(SUBJECTS, PATHS, GRANTS)
def test_a_grant_takes_nothing_away(subject: Subject, path: list[Level], grant: Grant):
    more = [path[0]._replace(grants=(*path[0].grants, grant)), *path[1:]]
    assert decide(subject, more).role >= decide(subject, path).role


def test_the_order_of_the_stages_is_pinned():
    assert [stage.__name__ for stage in STAGES] == ["_granted", "_in_trash"]


def test_nobody_gets_anything_by_default():
    assert decide(Subject("p1", "e1", ()), ()) == Decision(Role.NONE, ())
    assert decide(Subject("p1", "e1", ()), ()).why() == "no grant on the node or above it is for the caller"


def test_why_says_each_step():
    grant = Grant("r1", Grantee(GranteeKind.GROUP, "g1"), Role.EDITOR, "p0", AT)
    path = [Level("top", (grant,), False), Level("file", (), True)]
    why = decide(Subject("p1", "e1", {"g1"}), path).why()
    assert why == "group:g1 is EDITOR of top by grant r1; file lies in the trash, which leaves READER"
