"""What goes out to other programs, and comes in: Atom, JSON Feed, CAP 1.2, reach."""

import json
import urllib.error
import urllib.request
import xml.etree.ElementTree as ET
from collections import Counter
from datetime import UTC, datetime, timedelta

import feedparser
import grpc
import pytest
from rossio.news.v1 import news_pb2
from rossio.news.v1 import service_pb2 as pb

NURSES = 'entity in ("news-a", "news-b") and profession = "nurse"'
ALERT = news_pb2.Alert(
    category="Met", urgency="Immediate", severity="Severe", certainty="Likely", event="cheia", area="Porto"
)
CAP = "{urn:oasis:names:tc:emergency:cap:1.2}"


async def test_a_feed_reader_reads_the_personal_feed(start_service, caller):
    news = start_service("news")
    editor, nurse = caller(news, "news-rui"), caller(news, "news-eva", "")
    options = news_pb2.PostOptions(category="saude")
    post = await editor.publish(await editor.draft(options=options))
    await editor.publish(await editor.draft('person = "news-ana"'))
    token = (await nurse.stub.CreateFeedToken(pb.CreateFeedTokenRequest(request_id="t1"))).token
    status, etag, body = get(news, f"{token}.atom")
    feed = feedparser.parse(body, response_headers={"content-type": "application/atom+xml; charset=utf-8"})
    assert (status, feed.bozo, feed.version) == (200, False, "atom10")
    assert [(entry.title, entry.id) for entry in feed.entries] == [
        ("Higiene das mãos", f"urn:rossio:post:{post.post_id}")
    ]
    assert feed.entries[0].content[0].value == "<p>Leitura <strong>obrigatória</strong></p>"
    assert feed.entries[0].tags[0].term == "saude"
    assert get(news, f"{token}.atom", etag)[0] == 304

    items = json.loads(get(news, f"{token}.json")[2])["items"]
    assert [(item["id"], item["language"]) for item in items] == [(f"urn:rossio:post:{post.post_id}", "pt-PT")]
    await editor.publish(await editor.draft())
    assert get(news, f"{token}.atom", etag)[0] == 200, "another post is another feed"

    again = (await nurse.stub.CreateFeedToken(pb.CreateFeedTokenRequest(request_id="t2"))).token
    assert get(news, f"{token}.atom")[0] == 404
    assert get(news, f"{again}.json")[0] == 200
    await nurse.stub.RevokeFeedToken(pb.RevokeFeedTokenRequest(request_id="t3"))
    assert get(news, f"{again}.json")[0] == 404
    assert get(news, "x.atom")[0] == 404


def get(news, name: str, etag: str = "") -> tuple[int, str, bytes]:
    request = urllib.request.Request(f"http://{news.addresses['HTTP_ADDRESS']}/feeds/{name}")
    if etag:
        request.add_header("If-None-Match", etag)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.headers["ETag"], answer.read()
    except urllib.error.HTTPError as error:
        error.close()
        return error.code, "", b""


async def test_an_alert_goes_out_and_comes_in_as_cap(start_service, caller, refused, told):
    news = start_service("news")
    editor, alerter, nurse = (
        caller(news, "news-rui"),
        caller(news, "news-nuno", "news.alerter"),
        caller(news, "news-eva", ""),
    )
    post = await editor.publish(await editor.draft(NURSES, options=news_pb2.PostOptions(alert=ALERT)))
    out = (await nurse.stub.GetAlert(pb.GetAlertRequest(post_id=post.post_id))).cap
    sent = ET.fromstring(out)
    assert (sent.findtext(f"{CAP}msgType"), sent.findtext(f"{CAP}info/{CAP}headline")) == ("Alert", "Higiene das mãos")
    with refused("INVALID_ARGUMENT", "NO_ALERT"):
        plain = await editor.publish(await editor.draft(NURSES))
        await editor.stub.GetAlert(pb.GetAlertRequest(post_id=plain.post_id))

    taken = (await alerter.stub.ImportAlert(coming_in(out))).post
    assert (taken.state, taken.entity_id) == (news_pb2.POST_STATE_PUBLISHED, "news-b")
    assert taken.options.alert.source.startswith("news@rossio.test,")
    assert (await alerter.stub.ImportAlert(coming_in(out))).post == taken, "the same message is one post"
    assert taken.post_id in await nurse.feed()
    published = next(event for event in await told.about(taken.post_id, 3) if type(event).__name__ == "PostPublished")
    assert published.post.options.alert.severity == "Severe"

    edited = await editor.publish(await editor.update(post))
    update = (await nurse.stub.GetAlert(pb.GetAlertRequest(post_id=edited.post_id))).cap
    second = (await alerter.stub.ImportAlert(coming_in(update))).post
    feed = await nurse.feed()
    assert second.post_id in feed
    assert taken.post_id not in feed, "an update stands in the place of what it refers to"
    for wrong, reason in (
        (out.replace("Immediate", "Now"), "CAP_INVALID"),
        (out.replace("<status>Actual", "<status>Test"), "ALERT_NOT_ACTUAL"),
        ("<!DOCTYPE x>" + out, "CAP_MALFORMED"),
    ):
        with refused("INVALID_ARGUMENT", reason):
            await alerter.stub.ImportAlert(coming_in(wrong))
    with refused("PERMISSION_DENIED", "ROLE"):
        await editor.stub.ImportAlert(coming_in(out))


@pytest.mark.slow
async def test_an_update_that_dies_half_way_is_whole_once_it_is_said_again(start_service, caller, told):
    """Between what is stored, what is published and what that takes the place of."""
    news = start_service("news")
    editor = caller(news, "news-rui")
    post = await editor.publish(await editor.draft(NURSES, options=news_pb2.PostOptions(alert=ALERT)))
    out = await exported(editor, post)
    for point in ("news.alert.stored", "news.alert.published"):
        alerter = caller(news, "news-nuno", "news.alerter")
        before = (await alerter.stub.ImportAlert(coming_in(out))).post
        post = await editor.publish(await editor.update((await editor.get(post.post_id)).post))
        out = await exported(editor, post)
        news.restart(ROSSIO_KILL_AT=point)
        with pytest.raises(grpc.aio.AioRpcError):
            await caller(news, "news-nuno", "news.alerter").stub.ImportAlert(coming_in(out))
        await news.killed()
        news.restart(ROSSIO_KILL_AT="")
        editor, nurse = caller(news, "news-rui"), caller(news, "news-eva", "")
        after = (await caller(news, "news-nuno", "news.alerter").stub.ImportAlert(coming_in(out))).post
        feed = await nurse.feed()
        assert after.post_id in feed
        assert before.post_id not in feed
        kinds = Counter(getattr(each, "action", type(each).__name__) for each in await told.about(after.post_id, 3))
        assert kinds == {"news.post.create": 1, "news.post.publish": 1, "PostPublished": 1}
        assert [type(each).__name__ for each in await told.about(before.post_id, 5)].count("PostRetracted") == 1


async def exported(editor, post):
    return (await editor.stub.GetAlert(pb.GetAlertRequest(post_id=post.post_id))).cap


def coming_in(cap: str) -> pb.ImportAlertRequest:
    return pb.ImportAlertRequest(request_id="i", cap=cap, audience=NURSES)


async def test_reach_tells_how_many_and_never_who(start_service, caller, works):
    news = start_service("news")
    editor = caller(news, "news-rui")
    for number in range(12):
        await works(f"news-many{number}", 340_500 + number, "news-c")
    post = await editor.publish(await until_all(editor))
    for number in range(4):
        await caller(news, f"news-many{number}", "").read(post.post_id)
    await caller(news, "news-many0", "").acknowledge(post.post_id)
    reach = await editor.stub.GetReach(pb.GetReachRequest(post_id=post.post_id))
    assert (reach.whole.audience_size, reach.whole.read, reach.whole.acknowledged) == (12, 4, 1)
    assert [(each.value, each.read) for each in reach.entities] == [("news-c", 4)]
    assert [(each.value, each.read) for each in reach.professions] == [("nurse", 4)]
    small = await editor.publish(await editor.draft(NURSES))
    reach = await editor.stub.GetReach(pb.GetReachRequest(post_id=small.post_id))
    assert not any(each.HasField("read") for each in (reach.whole, *reach.entities, *reach.professions))


async def until_all(editor):
    """A draft for the twelve, once the directory view knows them all."""
    people = ", ".join(f'"news-many{number}"' for number in range(12))
    deadline = datetime.now(UTC) + timedelta(seconds=60)
    while True:
        post = await editor.draft(f"person in ({people})", mandatory=True)
        if post.audience_size == 12:
            return post
        assert datetime.now(UTC) < deadline
