"""Places, versions, locks and charges of nodes, without a store."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from document.domain import node as nodes
from document.domain import quota, versions
from document.domain.content import Stored
from document.domain.node import Act, Node
from document.domain.permissions import GranteeKind, Label, Subject
from document.domain.tree import copied, copy_id, moved, purged, renamed, restored, swept, trashed
from errors import Conflict, Invalid, NotAllowed, RossioError

ANA, RUI = (Subject(GranteeKind.PERSON, person, "e01") for person in ("p-ana", "p-rui"))
AT = datetime(2026, 1, 1, tzinfo=UTC)


def act(number: int, subject: Subject = ANA) -> Act:
    return Act(f"a{number}", subject, AT + timedelta(seconds=number))


def stored(size: int) -> Stored:
    return Stored(size, f"sha-{size}", "text/plain", f"blob-{size}")


SPACE = nodes.new_space(act(0), "space", personal=False)
OLD, NEW = (nodes.new_folder(act(number), SPACE, 1, name) for number, name in ((1, "old"), (2, "new")))
FOLDER = nodes.new_folder(act(3), OLD, 2, "folder")
FILE = nodes.new_file(act(4), FOLDER, 3, "a.txt", stored(10))
TO_FOLDER, TO_NEW = (SPACE, OLD, FOLDER), (SPACE, NEW)


def reason(refused: "pytest.ExceptionInfo[RossioError]") -> str:
    return refused.value.reason


def test_what_is_moved_hangs_elsewhere_and_is_the_same_node():
    there = moved(TO_FOLDER, act(9), TO_NEW, "")
    assert (there.node_id, there.place, there.revision) == (FOLDER.node_id, (NEW.node_id, "folder"), 2)
    assert moved(TO_FOLDER, act(9), TO_NEW, "Outro").place == (NEW.node_id, "outro")
    assert "a9" in there.receipts


@pytest.mark.parametrize(
    ("path", "to", "why"),
    [
        ((SPACE,), TO_NEW, "SPACE"),
        ((SPACE, OLD), (SPACE, OLD), "CYCLE"),
        ((SPACE, OLD), TO_FOLDER, "CYCLE"),
        (TO_FOLDER, (nodes.new_space(act(7), "other", personal=False),), "OTHER_SPACE"),
        (TO_FOLDER, (), "NOT_A_FOLDER"),
        ((SPACE, OLD), (SPACE, replace(FILE, parent_id="a0")), "NOT_A_FOLDER"),
        (TO_FOLDER, (*[SPACE] * (nodes.MAX_DEPTH - 1), NEW), "TOO_DEEP"),
    ],
)
def test_what_would_lie_nowhere_is_not_moved(path: tuple[Node, ...], to: tuple[Node, ...], why: str):
    with pytest.raises(Invalid) as refused:
        moved(path, act(9), to, "")
    assert reason(refused) == why


@pytest.mark.parametrize(
    ("above", "own", "there", "carried"),
    [
        (Label.NONE, Label.NONE, Label.NONE, Label.NONE),
        (Label.CLINICAL, Label.NONE, Label.NONE, Label.CLINICAL),
        (Label.CLINICAL, Label.INTERNAL, Label.CONFIDENTIAL, Label.CLINICAL),
        (Label.INTERNAL, Label.NONE, Label.CONFIDENTIAL, Label.NONE),
        (Label.INTERNAL, Label.CONFIDENTIAL, Label.CLINICAL, Label.CONFIDENTIAL),
    ],
)
def test_a_node_is_guarded_as_well_as_before(above: Label, own: Label, there: Label, carried: Label):
    path = (SPACE, replace(OLD, label=above), replace(FOLDER, label=own))
    to = (SPACE, replace(NEW, label=there))
    assert moved(path, act(9), to, "").label is carried
    assert copied(path, act(9), to, "").label is carried


def test_a_copy_is_another_node_with_the_current_content_alone():
    file = versions.with_frozen(nodes.with_version(FILE, act(5), stored(20)), act(6), 2, frozen=True)
    copy = copied((*TO_FOLDER, file), act(9), TO_NEW, "b.txt")
    assert copy.node_id == copy_id(act(9), file) not in {file.node_id, copy_id(act(8), file), copy_id(act(9), FOLDER)}
    assert [(v.number, v.blob, v.frozen) for v in copy.versions] == [(1, "blob-20", False)]
    assert (copy.grants, copy.lock, copy.place) == ((), None, (NEW.node_id, "b.txt"))


def test_what_arrives_is_nowhere_yet_and_what_is_purged_no_longer():
    assert replace(FOLDER, arriving=True).place == (nodes.ARRIVING, FOLDER.node_id)
    gone = purged(trashed(FILE, act(5)), act(6))
    assert gone.place == (nodes.PURGED, FILE.node_id)
    left = swept(gone, act(7).at)
    assert (quota.size_of(gone), quota.size_of(left), left.revision, left.name) == (10, 0, gone.revision + 1, "")
    assert nodes.swept_by(act(7).at) < left.place[1] < nodes.swept_by(act(8).at)
    assert gone.place[1] < nodes.SWEPT < nodes.swept_by(act(6).at), "what is only purged is not among them"
    with pytest.raises(Conflict) as refused:
        purged(FILE, act(6))
    assert reason(refused) == "NOT_TRASHED"


def test_a_name_from_before_a_rule_stays_wherever_the_node_goes():
    old = replace(FILE, name="acta: 3.")
    assert moved((*TO_FOLDER, old), act(5), TO_NEW, "").name == old.name
    assert copied((*TO_FOLDER, old), act(5), TO_NEW, "").name == old.name
    assert restored(trashed(old, act(5)), act(6), "").name == old.name


def test_what_was_trashed_is_restored_with_its_name_or_another():
    gone = trashed(FOLDER, act(5))
    assert restored(gone, act(6), "").place == FOLDER.place
    assert restored(gone, act(6), "outra").place == (OLD.node_id, "outra")
    with pytest.raises(Conflict) as refused:
        restored(FOLDER, act(6), "")
    assert reason(refused) == "NOT_TRASHED"


def test_a_lock_keeps_others_out_until_it_ends():
    locked = versions.locked(FILE, act(10), timedelta(seconds=5))
    for write in (
        lambda who: renamed(locked, who, "b"),
        lambda who: trashed(locked, who),
        lambda who: moved((*TO_FOLDER, locked), who, TO_NEW, ""),
        lambda who: nodes.with_version(locked, who, stored(1)),
        lambda who: versions.with_restored(locked, who, 1),
        lambda who: versions.locked(locked, who, timedelta(seconds=5)),
    ):
        with pytest.raises(Conflict) as refused:
            write(act(14, RUI))
        assert reason(refused) == "LOCKED"
        assert write(act(14)).revision == write(act(15, RUI)).revision == locked.revision + 1
    with pytest.raises(NotAllowed):
        versions.unlocked(locked, act(14, RUI), anybodys=False)
    assert versions.unlocked(locked, act(14, RUI), anybodys=True).lock is None
    assert versions.unlocked(locked, act(15, RUI), anybodys=False).lock is None


def test_versions_keep_their_numbers_when_one_goes():
    file = nodes.with_version(nodes.with_version(FILE, act(5), stored(20)), act(6), stored(30))
    left = versions.without_version(file, act(7), 2)
    assert [v.number for v in left.versions] == [1, 3]
    assert nodes.with_version(left, act(8), stored(1)).versions[-1].number == 4
    assert versions.with_restored(left, act(8), 1).versions[-1].blob == "blob-10"
    frozen = versions.with_frozen(left, act(8), 1, frozen=True)
    for number, why in ((1, "FROZEN"), (3, "CURRENT_VERSION")):
        with pytest.raises(Conflict) as refused:
            versions.without_version(frozen, act(9), number)
        assert reason(refused) == why


def test_a_write_is_charged_with_what_it_adds_or_takes_away():
    more = nodes.with_version(FILE, act(5), stored(20))
    made, grown = quota.charge_of("c1", None, FILE), quota.charge_of("c2", FILE, more)
    shrunk = quota.charge_of("c3", more, versions.without_version(more, act(6), 1))
    assert [charge and charge.size for charge in (made, grown, shrunk)] == [10, 20, -10]
    assert quota.charge_of("c4", more, renamed(more, act(6), "b")) is None
    assert made
    assert made.holders == ("space:a0", "entity:e01")
