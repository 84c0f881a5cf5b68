import asyncio

from directory_view import Bitmap
from rossio.news.v1 import news_pb2
from rossio.news.v1 import service_pb2 as pb

NURSES = 'entity in ("news-a", "news-b") and profession = "nurse"'
ALL = 'entity in ("news-a", "news-b")'


async def test_a_post_is_drafted_published_read_acknowledged_and_retracted(start_service, caller, told):
    news = start_service("news")
    editor, nurse, doctor = (caller(news, person) for person in ("news-rui", "news-eva", "news-nuno"))
    draft = await editor.draft(mandatory=True)
    preview = await editor.stub.PreviewAudience(pb.PreviewAudienceRequest(audience=NURSES))
    assert (preview.size, list(preview.sample), preview.confirm) == (2, ["news-ana", "news-eva"], False)
    assert (draft.state, draft.audience, draft.audience_size) == (news_pb2.POST_STATE_DRAFT, preview.audience, 2)

    post = await editor.publish(draft)
    assert (post.state, post.audience_size, post.text_version) == (news_pb2.POST_STATE_PUBLISHED, 2, 1)
    assert post.post_id not in await doctor.feed()
    item = (await nurse.feed())[post.post_id]
    assert [variant.title for variant in item.post.variants] == ["Higiene das mãos"]
    assert "<strong>obrigatória</strong>" in item.post.variants[0].html
    assert not item.acknowledged

    await nurse.acknowledge(post.post_id)
    await nurse.acknowledge(post.post_id)
    assert (await nurse.feed())[post.post_id].acknowledged
    assert (await nurse.get(post.post_id)).acknowledged
    assert await editor.missing(post.post_id) == (["news-ana"], 1, 2)
    assert await caller(news, "news-nuno").missing(post.post_id) == ([], 1, 2), "of their own entity none is missing"

    await editor.retract(post.post_id)
    assert post.post_id not in await nurse.feed()
    events = await told.about(post.post_id, 6)
    assert sorted(getattr(event, "action", type(event).__name__) for event in events) == [
        "PostAcknowledged",
        "PostPublished",
        "PostRetracted",
        "news.post.create",
        "news.post.publish",
        "news.post.retract",
    ]
    published = next(event for event in events if type(event).__name__ == "PostPublished")
    assert Bitmap.deserialize(published.audience) == Bitmap([340_001, 340_003])
    assert published.post.variants[1].html == "<p><strong>Mandatory</strong> reading </p>\n"


async def test_a_change_of_what_has_changed_and_a_repeated_request(start_service, caller, refused):
    news = start_service("news")
    editor = caller(news, "news-rui")
    draft = await editor.draft()
    changed = await editor.update(draft, "u1", audience='  profession="nurse"  ')
    assert (changed.audience, changed.etag != draft.etag) == ('profession = "nurse"', True)
    again = await editor.update(draft, "u1", audience='  profession="nurse"  ')
    assert again == changed, "a repetition answers with what was done"
    with refused("ABORTED", "STALE"):
        await editor.update(draft, audience=ALL)
    with refused("ABORTED", "STALE"):
        await editor.publish(draft)
    first = await editor.publish(changed, "p1")
    assert await editor.publish(changed, "p1") == first
    with refused("ABORTED", "STALE"):
        await editor.publish(changed)
    with refused("ABORTED", "POST_STATE"):
        await editor.publish(first)


async def test_bad_input_is_refused_by_its_reason(start_service, caller, refused):
    news = start_service("news")
    editor, reader, foreign = caller(news, "news-rui"), caller(news, "news-ana", ""), caller(news, "news-nuno")
    with refused("INVALID_ARGUMENT", "UNKNOWN_ATTRIBUTE"):
        await editor.draft('town = "Faro"')
    with refused("INVALID_ARGUMENT", "LOCALE_TWICE"):
        await editor.draft(variants=[*(await editor.draft()).variants, *(await editor.draft()).variants])
    nobody = await editor.draft('person = "nobody"')
    with refused("INVALID_ARGUMENT", "AUDIENCE_EMPTY"):
        await editor.publish(nobody)
    with refused("INVALID_ARGUMENT", "AUDIENCE_EVERYBODY"):
        await editor.publish(await editor.draft("all"))
    assert (await editor.publish(await editor.draft("all"), confirm=True)).audience_size >= 4
    with refused("INVALID_ARGUMENT", "NOT_ACCESSIBLE"):
        image = news_pb2.Variant(locale="pt", title="Imagem", body="![](document:n1)")
        await editor.publish(await editor.draft(variants=[image]))
    with refused("PERMISSION_DENIED", "ROLE"):
        await reader.draft()
    for reading in (reader.get, foreign.get, foreign.missing, foreign.retract):
        with refused("NOT_FOUND", "POST_NOT_FOUND"):
            await reading(nobody.post_id)
    with refused("NOT_FOUND"):
        await foreign.publish(nobody)

    post = await editor.publish(await editor.draft('entity = "news-a" and profession = "nurse"'))
    await reader.acknowledge(post.post_id)
    with refused("ABORTED", "TEXT_VERSION"):
        await reader.acknowledge(post.post_id, text_version=2)
    for reading in (foreign.get, foreign.acknowledge, foreign.missing):
        with refused("NOT_FOUND", "POST_NOT_FOUND"):
            await reading(post.post_id)
    await editor.retract(post.post_id)
    with refused("NOT_FOUND", "POST_NOT_FOUND"):
        await reader.acknowledge(post.post_id)


async def test_another_process_shows_what_was_published_here(start_service, caller):
    here, there = start_service("news"), start_service("news")
    post = await caller(here, "news-rui").publish(await caller(here, "news-rui").draft())
    reader = caller(there, "news-ana", "")
    async with asyncio.timeout(30):
        while post.post_id not in await reader.feed():
            await asyncio.sleep(0.05)
        await reader.acknowledge(post.post_id)
        assert (await caller(here, "news-rui").missing(post.post_id))[0] == ["news-eva"]
        await caller(here, "news-rui").retract(post.post_id)
        while post.post_id in await reader.feed():
            await asyncio.sleep(0.05)


async def test_paging_through_who_has_not(start_service, caller):
    news = start_service("news")
    editor = caller(news, "news-rui")
    post = await editor.publish(await editor.draft(ALL))
    everybody = await editor.missing(post.post_id)
    assert everybody[0][:4] == ["news-ana", "news-rui", "news-eva", "news-nuno"]
    assert await editor.missing(post.post_id, page_size=1) == everybody
