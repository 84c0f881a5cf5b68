"""What is found, by whom, and for how long: the index as people see it."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from rossio.directory.v1 import directory_pb2, events_pb2
from rossio.document.v1 import document_pb2
from testkit.streams import publish

pytestmark = pytest.mark.usefixtures("ministry")
READER = document_pb2.ROLE_READER


def text(words: str) -> bytes:
    return words.encode()


async def test_words_are_found_whatever_their_accents_case_and_endings(start_service: Any, caller: Any):
    program = start_service("document")
    ana = caller(program, "doc-ana")
    space_id = await ana.space("Casa")
    await ana.put(text("As receitas médicas e as prescrições dos hospitais."), parent_id=space_id, name="a.txt")
    await ana.put(text("The annual reports were published."), parent_id=space_id, name="b.txt")
    await ana.put("Saúde em cp1252".encode("cp1252"), parent_id=space_id, name="c.txt")
    await ana.finds(["a.txt"], "RECEITA medica")
    for query in ("prescricao", "Prescrição", "hospital", '"receitas médicas"', '"receita medica"', "dos hospitais"):
        assert await ana.found(query) == ["a.txt"], query
    await ana.finds(["b.txt"], "report")
    assert await ana.found("reporting publish") == ["b.txt"]
    await ana.finds(["c.txt"], "saude")
    assert await ana.found('"médicas receitas"') == []
    assert await ana.found("receita hospital -prescrição") == []
    assert await ana.found("receita report") == []


async def test_names_come_before_texts_and_the_newest_before_the_older(start_service: Any, caller: Any):
    program = start_service("document")
    ana = caller(program, "doc-ana")
    space_id = await ana.space("Casa")
    for name, words in (("orçamento 2025.txt", "x"), ("um.txt", "orçamento"), ("orçamentos 2026.txt", "x")):
        await ana.put(text(words), parent_id=space_id, name=name)
    await ana.put(text("o orçamento"), parent_id=space_id, name="dois.txt")
    await ana.finds(["orçamentos 2026.txt", "orçamento 2025.txt", "dois.txt", "um.txt"], "orcamento")
    await ana.finds(["orçamentos 2026.txt", "orçamento 2025.txt", "dois.txt", "um.txt"], "orça*")
    assert await ana.found("2026") == ["orçamentos 2026.txt"]


async def test_the_index_follows_versions_names_places_and_the_trash(start_service: Any, caller: Any):
    program = start_service("document")
    ana = caller(program, "doc-ana")
    space_id = await ana.space("Casa")
    one, other = await ana.folder(space_id, "um"), await ana.folder(space_id, "outro")
    file = await ana.put(text("girafa"), parent_id=one.node_id, name="bicho.txt")
    await ana.finds(["bicho.txt"], "girafa")
    await ana.put(text("zebra"), node_id=file.node_id)
    await ana.finds(["bicho.txt"], "zebra")
    assert await ana.found("girafa") == []
    await ana.do("Rename", node_id=file.node_id, name="animal.txt")
    await ana.finds(["animal.txt"], "animais")
    await ana.finds(["animal.txt"], "zebra", folder_id=one.node_id)
    await ana.do("Move", node_id=one.node_id, parent_id=other.node_id)
    await ana.finds(["animal.txt"], "zebra", folder_id=other.node_id)
    await ana.trash(other.node_id)
    assert await ana.found("zebra") == []
    await ana.do("Restore", node_id=other.node_id)
    await ana.finds(["animal.txt"], "zebra")
    await ana.do("Copy", node_id=other.node_id, parent_id=space_id, name="cópia")
    await ana.finds(["animal.txt", "animal.txt"], "zebra")
    await ana.trash(other.node_id)
    await ana.do("Purge", node_id=other.node_id)
    await ana.finds(["animal.txt"], "zebra")


async def test_each_filter_holds(start_service: Any, caller: Any):
    program = start_service("document")
    ana, rui = caller(program, "doc-ana"), caller(program, "doc-rui")
    space_id, other_id = await ana.space("Casa"), await ana.space("Outra")
    folder = await ana.folder(space_id, "Relatórios do ano")
    await ana.share(space_id, document_pb2.ROLE_EDITOR, person_id="doc-rui")
    await ana.put(text("alfa"), parent_id=folder.node_id, name="a.txt", media_type="text/plain")
    await rui.put(text("alfa"), parent_id=space_id, name="b.csv", media_type="text/csv")
    await ana.put(text("alfa"), parent_id=other_id, name="c.xlsx")
    await ana.finds(["c.xlsx", "b.csv", "a.txt"], "alfa")
    after = datetime.now(UTC) + timedelta(days=1)
    for filters, names in (
        ({"space_id": other_id}, ["c.xlsx"]),
        ({"folder_id": folder.node_id}, ["a.txt"]),
        ({"folder": "relatorio"}, ["a.txt"]),
        ({"types": [document_pb2.FILE_TYPE_SPREADSHEET]}, ["c.xlsx"]),
        ({"types": [document_pb2.FILE_TYPE_TEXT]}, ["b.csv", "a.txt"]),
        ({"author_id": "doc-rui"}, ["b.csv"]),
        ({"modified_until": after}, ["c.xlsx", "b.csv", "a.txt"]),
        ({"modified_from": after}, []),
        ({"labels": [document_pb2.LABEL_CONFIDENTIAL]}, []),
        ({"labels": [document_pb2.LABEL_PUBLIC]}, ["c.xlsx", "b.csv", "a.txt"]),
    ):
        assert await ana.found("alfa", **filters) == names, filters
    await ana.do("SetLabel", node_id=folder.node_id, label=document_pb2.LABEL_CONFIDENTIAL)
    assert await ana.found("alfa", labels=[document_pb2.LABEL_CONFIDENTIAL]) == ["a.txt"]
    assert await ana.found(types=[document_pb2.FILE_TYPE_FOLDER], space_id=space_id) == ["Relatórios do ano", "Casa"]


async def test_only_what_the_caller_may_read_is_found_and_nothing_of_it_stays(
    start_service: Any, caller: Any, refused: Any
):
    """Of another entity's file: found when shared, and not from the moment on that it no longer is."""
    program = start_service("document")
    ana, eva = caller(program, "doc-ana"), caller(program, "doc-eva")
    space_id = await ana.space("Casa")
    folder = await ana.folder(space_id, "Segredo")
    file = await ana.put(text("confidências do ministério"), parent_id=folder.node_id, name="nota.txt")
    await ana.finds(["nota.txt"], "confidencia")
    assert await eva.found("confidencia") == []
    with refused("NOT_FOUND"):
        await eva.page("confidencia", space_id=space_id)
    grant = await ana.share(file.node_id, person_id="doc-eva")
    await eva.finds(["nota.txt"], "confidencia")
    (result,) = (await eva.page("confidencia")).results
    assert list(result.folders) == []
    assert await eva.found("confidencia", folder="segredo") == []
    assert await eva.found("segredo") == []
    await ana.unshare(file.node_id, grant.grant_id)
    assert await eva.found("confidencia") == []
    await ana.share(file.node_id, person_id="doc-eva")
    assert await eva.found("confidencia") == ["nota.txt"]
    await ana.do("SetLabel", node_id=folder.node_id, label=document_pb2.LABEL_CONFIDENTIAL)
    assert await eva.found("confidencia") == []
    await ana.do("SetLabel", node_id=folder.node_id, label=document_pb2.LABEL_UNSPECIFIED)
    assert await eva.found("confidencia") == ["nota.txt"]
    await ana.do("Share", node_id=space_id, grantee={"person_id": "doc-eva"}, role=READER, deny=True)
    assert await eva.found("confidencia") == []


async def test_a_group_that_somebody_leaves_takes_what_they_found_with_it(
    start_service: Any, caller: Any, streams: str
):
    program = start_service("document")
    ana, nuno = caller(program, "doc-ana"), caller(program, "doc-nuno")
    space_id = await ana.space("Casa")
    file = await ana.put(text("escala de turnos"), parent_id=space_id, name="escala.txt")
    await ana.share(file.node_id, group_id="doc-wards")
    await nuno.finds(["escala.txt"], "turno")

    async def ward(version: int, *people: str) -> None:
        group = directory_pb2.Group(group_id="doc-ward", entity_id="doc-b", version=version)
        group.members.extend(directory_pb2.Member(person_id=person) for person in people)
        await publish(streams, [events_pb2.GroupChanged(group=group)])

    await ward(2)
    await nuno.finds([], "turno")
    await ward(3, "doc-nuno")
    await nuno.finds(["escala.txt"], "turno")


async def test_pages_are_right_when_most_hits_are_not_for_the_caller(start_service: Any, caller: Any):
    """Every third file is readable; each is shown once, in order, and no page tells of the others."""
    program = start_service("document")
    ana, eva = caller(program, "doc-ana"), caller(program, "doc-eva")
    space_id = await ana.space("Casa", personal=True)
    mine = list[str]()
    for number in range(30):
        file = await ana.put(text("capítulo"), parent_id=space_id, name=f"{number:02}.txt")
        if number % 3:
            await ana.do("Share", node_id=file.node_id, grantee={"person_id": "doc-eva"}, role=READER, deny=True)
        else:
            mine.insert(0, f"{number:02}.txt")
    await ana.share(space_id, person_id="doc-eva")
    await eva.finds(mine, "capitulo", page_size=100)
    seen, token = list[str](), ""
    while True:
        page = await eva.page("capitulo", page_size=3, page_token=token)
        seen += [result.node.name for result in page.results]
        assert len(page.results) == 3 or not page.next_page_token
        token = page.next_page_token
        if not token:
            break
    assert seen == mine


async def test_snippets_show_the_place_and_mark_the_words(start_service: Any, caller: Any):
    program = start_service("document")
    ana = caller(program, "doc-ana")
    space_id = await ana.space("Casa")
    words = "palavra " * 5_000 + "Aqui está a <b>VACINAÇÃO</b> das crianças. " + "resto " * 5_000
    await ana.put(text(words), parent_id=space_id, name="longo.txt")
    await ana.finds(["longo.txt"], "vacinacoes")
    (result,) = (await ana.page("vacinacoes criança")).results
    assert [part.text for part in result.snippet if part.match] == ["VACINAÇÃO", "crianças"]
    whole = "".join(part.text for part in result.snippet)
    assert "Aqui está a <b>VACINAÇÃO</b> das crianças." in whole
    assert len(whole) < 500


async def test_what_is_asked_for_wrongly_is_refused_by_name(start_service: Any, caller: Any, refused: Any):
    program = start_service("document")
    ana = caller(program, "doc-ana")
    await ana.page("x")
    for wrong in ("-nada", "a*", '""', " ".join(f"w{n}" for n in range(40))):
        with refused("INVALID_ARGUMENT", "QUERY"):
            await ana.page(wrong)
    with refused("INVALID_ARGUMENT", "PAGE_TOKEN"):
        await ana.page("x", page_token="zzzz")
    with refused("INVALID_ARGUMENT", "FILE_TYPE"):
        await ana.page("x", types=[document_pb2.FileType.ValueType(77)])
    with refused("INVALID_ARGUMENT"):
        await ana.page("x" * 501)
    assert await asyncio.gather(*(ana.found("nada") for _ in range(20))) == [[]] * 20
