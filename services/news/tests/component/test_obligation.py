"""Who has to acknowledge, who has, and the proof of it."""

import asyncio
import base64
import json
from datetime import UTC, datetime, timedelta

import cli.roll
import pytest
from directory_view import Bitmap
from errors import Invalid
from news.adapters.roll_key import RollKey
from rossio.news.v1 import news_pb2
from rossio.news.v1 import service_pb2 as pb

ALL = 'person in ("news-ana", "news-rui", "news-eva", "news-nuno")'


async def test_a_delegate_acknowledges_in_somebodys_place(start_service, caller, refused):
    news = start_service("news")
    editor, ana, nuno = caller(news, "news-rui"), caller(news, "news-ana", ""), caller(news, "news-nuno", "")
    post = await editor.publish(await editor.draft('person in ("news-ana", "news-eva")', mandatory=True))
    with refused("PERMISSION_DENIED", "NOT_DELEGATE"):
        await nuno.acknowledge(post.post_id, in_place_of="news-ana")
    for refusal, reason, delegate in (
        ("NOT_FOUND", "PERSON_NOT_FOUND", "nobody"),
        ("INVALID_ARGUMENT", "OWN_DELEGATE", "news-ana"),
    ):
        with refused(refusal, reason):
            await delegates(ana, delegate, hours=1)
    await delegates(ana, "news-nuno", hours=1)
    await nuno.acknowledge(post.post_id, in_place_of="news-ana")
    assert await editor.missing(post.post_id) == (["news-eva"], 1, 2)
    await delegates(ana, "news-nuno", hours=-1)
    with refused("PERMISSION_DENIED", "NOT_DELEGATE"):
        await nuno.acknowledge(post.post_id, in_place_of="news-ana")


async def delegates(person, delegate: str, hours: int) -> None:
    request = pb.SetDelegateRequest(request_id=f"d-{delegate}-{hours}", delegate_id=delegate)
    request.until.FromDatetime(datetime.now(UTC) + timedelta(hours=hours))
    await person.stub.SetDelegate(request)


async def test_who_has_not_is_told_by_entity_and_unit_and_in_a_roll(start_service, caller, refused):
    news = start_service("news")
    editor, foreign = caller(news, "news-rui"), caller(news, "news-nuno")
    post = await editor.publish(await editor.draft(ALL, mandatory=True))
    for person in ("news-ana", "news-eva"):
        await caller(news, person, "").acknowledge(post.post_id)
    counted = await editor.stub.GetMissingCounts(pb.GetMissingCountsRequest(post_id=post.post_id))
    assert [(each.entity_id, each.missing, each.audience_size) for each in counted.entities] == [
        ("news-a", 1, 2),
        ("news-b", 1, 2),
    ]
    assert [(each.unit_id, each.missing) for each in counted.units] == [("u-news-a", 1), ("u-news-b", 1)]
    own = await foreign.stub.GetMissingCounts(pb.GetMissingCountsRequest(post_id=post.post_id))
    assert [each.entity_id for each in own.entities] == ["news-b"], "of another entity's post only one's own people"

    roll = b"".join(
        [part.content async for part in editor.stub.DownloadRoll(pb.DownloadRollRequest(post_id=post.post_id))]
    )
    assert roll.count(b'"acknowledged":"') == 2
    assert roll.count(b"\n") == 1 + 4 + 1
    with refused("NOT_FOUND", "POST_NOT_FOUND"):
        async for _ in foreign.stub.DownloadRoll(pb.DownloadRollRequest(post_id=post.post_id)):
            pass


async def test_a_roll_verifies_with_the_keys_that_the_service_gives(start_service, caller, tmp_path):
    """Those of before a change of keys among them; a second program, with code of its own, verifies."""
    first, second = bytes(range(32)), bytes(range(1, 33))
    news = start_service("news", ROLL_KEY=base64.b64encode(first).decode())
    editor = caller(news, "news-rui")
    post = await editor.publish(await editor.draft(ALL, mandatory=True))
    await caller(news, "news-ana", "").acknowledge(post.post_id)
    old = (await roll_keys(caller(news, "news-ana", ""))).keys[0]
    assert (old.current, old.public_key) == (True, RollKey(first).public_key)
    for name in ("before", "after"):
        request = pb.DownloadRollRequest(post_id=post.post_id)
        (tmp_path / name).write_bytes(b"".join([each.content async for each in editor.stub.DownloadRoll(request)]))
        if name == "before":
            news.stop()
            news.settings["ROLL_KEY"] = base64.b64encode(second).decode()
            news.settings["ROLL_KEYS_BEFORE"] = json.dumps([base64.b64encode(old.public_key).decode()])
            news.start()
            editor = caller(news, "news-rui")
    keys = (await roll_keys(editor)).keys
    assert [(each.current, each.key_id == old.key_id) for each in keys] == [(True, False), (False, True)]
    taken_along = cli.roll.keys_of_set(cli.roll.key_set(each.public_key for each in keys))
    for name in ("before", "after"):
        assert cli.roll.verify(tmp_path / name, taken_along).post["acknowledged"] == 1
    with pytest.raises(Invalid):
        cli.roll.verify(tmp_path / "before", taken_along[:1])


async def roll_keys(person):
    return await person.stub.GetRollKeys(pb.GetRollKeysRequest())


async def test_those_who_have_not_are_reminded(start_service, caller, told):
    news = start_service("news", REMIND_BEFORE='["PT1H", "PT0S"]')
    editor = caller(news, "news-rui")
    deadline = datetime.now(UTC) + timedelta(minutes=30)
    draft = await editor.draft('person in ("news-ana", "news-eva")', mandatory=True, acknowledge_by=deadline)
    post = await editor.publish(draft)
    events = await told.about(post.post_id, 5)
    due = next(event for event in events if type(event).__name__ == "AcknowledgementDue")
    assert Bitmap.deserialize(due.missing) == Bitmap([340_001, 340_003])
    assert (due.reminder, due.post.post_id) == (1, post.post_id)
    async with asyncio.timeout(60):
        while [deed.verb for deed in await deeds(editor, post)][:1] != ["remind"]:
            await asyncio.sleep(0.05)


async def deeds(editor, post: news_pb2.Post):
    return (await editor.stub.GetHistory(pb.GetHistoryRequest(post_id=post.post_id))).deeds
