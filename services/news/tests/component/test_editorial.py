"""From the draft to the archive: review, schedule, expiry, history."""

import asyncio
from datetime import UTC, datetime, timedelta

from rossio.news.v1 import news_pb2
from rossio.news.v1 import service_pb2 as pb

NURSES = 'entity in ("news-a", "news-b") and profession = "nurse"'
ONE_APPROVAL = news_pb2.PostOptions(approvals=1)


async def test_a_post_is_reviewed_by_somebody_else_and_its_history_is_kept(start_service, caller, refused):
    news = start_service("news")
    writer, approver = caller(news, "news-rui"), caller(news, "news-ana", "news.approver")
    draft = await writer.draft(options=ONE_APPROVAL)
    with refused("ABORTED", "POST_STATE"):
        await writer.publish(draft)
    post = await writer.submit(draft)
    waiting = await approver.stub.ListPosts(pb.ListPostsRequest(state=news_pb2.POST_STATE_IN_REVIEW))
    assert [each.post_id for each in waiting.posts] == [post.post_id]
    with refused("PERMISSION_DENIED", "OWN_POST"):
        await caller(news, "news-rui", "news.approver").review(post, approve=True)
    with refused("INVALID_ARGUMENT", "REASON_MISSING"):
        await approver.review(post, approve=False)
    with refused("NOT_FOUND", "POST_NOT_FOUND"):
        await caller(news, "news-eva", "news.approver").review(post, approve=True)
    back = await approver.review(post, approve=False, reason="falta a data")
    assert back.state == news_pb2.POST_STATE_DRAFT
    body = news_pb2.Variant(locale="pt-PT", title="Higiene das mãos", body="Leitura até sexta-feira, dia 27.")
    post = await writer.submit(await writer.update(back, variants=[body]))
    with refused("ABORTED", "STALE"):
        await approver.review(back, approve=True)
    approved = await approver.review(post, approve=True, reason="claro")
    assert [(each.person_id, each.reason) for each in approved.approvals] == [("news-ana", "claro")]
    assert (await writer.publish(approved)).state == news_pb2.POST_STATE_PUBLISHED

    history = await writer.stub.GetHistory(pb.GetHistoryRequest(post_id=draft.post_id, etag=draft.etag))
    assert [(deed.verb, deed.actor_id, deed.reason) for deed in reversed(history.deeds)] == [
        ("create", "news-rui", ""),
        ("submit", "news-rui", ""),
        ("reject", "news-ana", "falta a data"),
        ("update", "news-rui", ""),
        ("submit", "news-rui", ""),
        ("approve", "news-ana", "claro"),
        ("publish", "news-rui", ""),
    ]
    assert [variant.title for variant in history.variants] == ["Higiene das mãos", "Hand hygiene"]
    now = await writer.stub.GetHistory(pb.GetHistoryRequest(post_id=draft.post_id, etag=approved.etag))
    assert [variant.body for variant in now.variants] == [body.body]


async def test_an_installation_may_ask_for_approvals(start_service, caller, refused):
    news = start_service("news", LEAST_APPROVALS="1")
    draft = await caller(news, "news-rui").draft()
    assert draft.options.approvals == 1
    with refused("ABORTED", "POST_STATE"):
        await caller(news, "news-rui").publish(draft)


async def test_readers_keep_the_published_text_until_the_next_one_is_published(start_service, caller, refused):
    news = start_service("news")
    editor, nurse = caller(news, "news-rui"), caller(news, "news-eva", "")
    post = await editor.publish(await editor.draft(mandatory=True))
    await nurse.acknowledge(post.post_id)
    edited = await editor.update(
        post, variants=[news_pb2.Variant(locale="pt", title="Segunda versão", body="Texto novo.")]
    )
    assert (await nurse.get(post.post_id)).post.variants[0].title == "Higiene das mãos"
    again = await editor.publish(edited)
    assert again.text_version == 2
    opened = await nurse.get(post.post_id)
    assert (opened.post.variants[0].title, opened.acknowledged) == ("Segunda versão", False)
    with refused("ABORTED", "TEXT_VERSION"):
        await nurse.acknowledge(post.post_id, text_version=1)
    await nurse.acknowledge(post.post_id, text_version=2)
    assert (await nurse.get(post.post_id)).acknowledged


async def test_time_publishes_and_expires(start_service, caller, refused, told):
    news = start_service("news")
    editor, nurse = caller(news, "news-rui"), caller(news, "news-eva", "")
    soon = datetime.now(UTC) + timedelta(seconds=6)
    with refused("INVALID_ARGUMENT", "SCHEDULE_PAST"):
        await editor.schedule(await editor.draft(), datetime.now(UTC) - timedelta(seconds=1))
    options = news_pb2.PostOptions()
    options.expire_at.FromDatetime(soon + timedelta(seconds=2))
    post = await editor.schedule(await editor.draft(options=options), soon)
    assert post.state == news_pb2.POST_STATE_SCHEDULED
    assert post.post_id not in await nurse.feed()
    events = await told.about(post.post_id, 6)
    assert {getattr(each, "action", type(each).__name__) for each in events} == {
        "news.post.create",
        "news.post.schedule",
        "PostPublished",
        "news.post.publish",
        "PostExpired",
        "news.post.expire",
    }
    async with asyncio.timeout(60):
        while (await editor.get(post.post_id)).post.state != news_pb2.POST_STATE_EXPIRED:
            await asyncio.sleep(0.05)
    assert post.post_id not in await nurse.feed()


async def test_what_is_archived_can_still_be_opened(start_service, caller, refused):
    news = start_service("news")
    editor, nurse = caller(news, "news-rui"), caller(news, "news-eva", "")
    post = await editor.publish(await editor.draft())
    await editor.stub.ArchivePost(pb.ArchivePostRequest(request_id="a1", post_id=post.post_id))
    assert post.post_id not in await nurse.feed()
    assert (await nurse.get(post.post_id)).post.state == news_pb2.POST_STATE_ARCHIVED
    with refused("ABORTED", "POST_STATE"):
        await editor.retract(post.post_id)


async def test_the_check_says_what_keeps_people_from_reading(start_service, caller):
    news = start_service("news")
    editor = caller(news, "news-rui")
    body = '## a\n\n#### b\n\n<span style="color:#999">c</span>'
    post = await editor.draft(variants=[news_pb2.Variant(locale="pt", title="t", body=body)])
    found = (await editor.stub.GetFindings(pb.GetFindingsRequest(post_id=post.post_id))).findings
    assert [(each.rule, each.error) for each in found] == [("HEADING_ORDER", True), ("CONTRAST", True)]
