from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from document.domain import node as nodes
from document.domain.content import Announced, Stored
from document.domain.node import Act, Node
from document.domain.permissions import Grantee, GranteeKind, Role, Subject, decide
from document.domain.tree import trashed
from errors import Conflict, Exhausted, Invalid, NotFound

ANA, RUI, EVA = (
    Subject(GranteeKind.PERSON, person, entity)
    for person, entity in (("p-ana", "e01"), ("p-rui", "e01"), ("p-eva", "e02"))
)
AT = datetime(2026, 1, 1, tzinfo=UTC)
EMPTY = Stored(0, "e3b0c442", "text/plain", "blob-0")


def act(number: int, subject: Subject = ANA) -> Act:
    return Act(f"a{number}", subject, AT + timedelta(seconds=number))


def space(*, personal: bool = False) -> Node:
    return nodes.new_space(act(0), "Relatórios", personal=personal)


def to(subject: Subject) -> Grantee:
    return subject.grantee


def test_a_space_is_managed_by_its_maker_and_read_by_their_entity():
    assert [decide(who, [space()]).role for who in (ANA, RUI, EVA)] == [Role.MANAGER, Role.READER, Role.NONE]


def test_a_personal_space_is_for_its_owner_alone():
    assert [decide(who, [space(personal=True)]).role for who in (ANA, RUI, EVA)] == [Role.MANAGER, Role.NONE, Role.NONE]


def test_a_grantee_has_one_grant_on_a_node():
    once = nodes.shared(space(), act(1), to(EVA), Role.READER)
    twice = nodes.shared(once, act(2), to(EVA), Role.EDITOR)
    assert [(g.grant_id, g.role) for g in twice.grants if g.grantee == to(EVA)] == [("a2", Role.EDITOR)]


def test_a_space_keeps_a_manager():
    with pytest.raises(Conflict) as refusal:
        nodes.unshared(space(), act(1), "a0")
    assert refusal.value.reason == "LAST_MANAGER"
    handed_over = nodes.unshared(nodes.shared(space(), act(1), to(RUI), Role.MANAGER), act(2), "a0")
    assert decide(RUI, [handed_over]).role is Role.MANAGER


def test_a_personal_space_keeps_its_owner_though_others_manage_it_too():
    shared = nodes.shared(space(personal=True), act(1), to(RUI), Role.MANAGER)
    with pytest.raises(Conflict):
        nodes.shared(shared, act(2, RUI), to(ANA), Role.READER)


def test_versions_count_from_one_and_keep_what_was():
    file = nodes.new_file(act(1), space(), 1, "a.txt", EMPTY)
    more = nodes.with_version(file, act(2, RUI), Stored(5, "beef", "text/csv", "blob-1"))
    assert [(v.number, v.blob, v.author_id) for v in more.versions] == [(1, "blob-0", "p-ana"), (2, "blob-1", "p-rui")]
    assert nodes.version_of(more, 0) == more.versions[1]
    assert nodes.version_of(more, 1) == file.versions[0]
    assert more.etag != file.etag
    with pytest.raises(NotFound):
        nodes.version_of(more, 3)


def test_the_versions_of_a_file_are_limited():
    file = nodes.new_file(act(1), space(), 1, "a.txt", EMPTY)
    full = replace(file, versions=file.versions * nodes.MAX_VERSIONS)
    with pytest.raises(Exhausted):
        nodes.with_version(full, act(2), EMPTY)


def test_the_grants_of_a_node_are_limited():
    node = space()
    for number in range(nodes.MAX_GRANTS - 2):
        node = nodes.shared(node, act(number + 1), Grantee(GranteeKind.GROUP, f"g{number}"), Role.READER)
    with pytest.raises(Exhausted):
        nodes.shared(node, act(999), Grantee(GranteeKind.GROUP, "one more"), Role.READER)


def test_folders_go_so_deep_and_no_deeper():
    folder = nodes.new_folder(act(1), space(), nodes.MAX_DEPTH - 1, "deep")
    with pytest.raises(Invalid) as refusal:
        nodes.new_folder(act(2), folder, nodes.MAX_DEPTH, "too deep")
    assert refusal.value.reason == "TOO_DEEP"


def test_a_file_holds_no_others_and_a_folder_no_content():
    file = nodes.new_file(act(1), space(), 1, "a.txt", EMPTY)
    with pytest.raises(Invalid):
        nodes.new_folder(act(2), file, 2, "below")
    with pytest.raises(Invalid):
        nodes.with_version(space(), act(2), EMPTY)


def test_what_is_trashed_frees_its_name_and_what_is_in_it_need_not_change():
    folder = nodes.new_folder(act(1), space(), 1, "Actas")
    file = nodes.new_file(act(2), folder, 2, "a.txt", EMPTY)
    assert folder.place == ("a0", "actas")
    gone = trashed(folder, act(3))
    assert gone.place == ("trash:a0", "a1")
    assert decide(RUI, [space(), gone, file]).role is Role.NONE
    assert decide(ANA, [space(), gone, file]).role is Role.READER


def test_a_node_remembers_its_latest_changes():
    node = space()
    for number in range(1, nodes.RECEIPTS + 2):
        node = nodes.shared(node, act(number), to(EVA), Role.READER)
    assert node.receipts == tuple(f"a{number}" for number in range(2, nodes.RECEIPTS + 2))
    assert node.revision == nodes.RECEIPTS + 2


def test_an_etag_that_is_old_is_a_conflict_and_none_is_any():
    nodes.check_etag(space(), "")
    nodes.check_etag(space(), space().etag)
    with pytest.raises(Conflict) as refusal:
        nodes.check_etag(space(), "0")
    assert refusal.value.reason == "STALE_ETAG"


def test_an_announcement_is_checked_and_normalised():
    announced = Announced.read(size=3, sha256="AB" * 32, media_type="")
    assert announced == Announced(3, "ab" * 32, "application/octet-stream")
    announced.check(3, "ab" * 32)
    with pytest.raises(Invalid, match="3 bytes were announced and 2 came"):
        announced.check(2, "ab" * 32)
    with pytest.raises(Invalid, match="another SHA-256"):
        announced.check(3, "cd" * 32)
    Announced.read(size=3, sha256="", media_type='text/plain; charset="utf-8"').check(3, "cd" * 32)


@pytest.mark.parametrize(("sha256", "media_type"), [("xyz", ""), ("ab" * 31, ""), ("", "text"), ("", "text/x\r\nX: y")])
def test_an_announcement_that_cannot_be_is_refused(sha256: str, media_type: str):
    with pytest.raises(Invalid):
        Announced.read(size=0, sha256=sha256, media_type=media_type)
