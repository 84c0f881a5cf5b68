"""Mail, documents and news come into inboxes, once, read or unread, listed and watched, by preference."""

import asyncio
from datetime import UTC, datetime, timedelta

import bson
import grpc
import messaging
import rpc
from directory_view import Bitmap
from google.protobuf.message import Message
from rossio.directory.v1 import directory_pb2
from rossio.news.v1 import events_pb2 as news_events
from rossio.news.v1 import news_pb2
from rossio.notification.v1 import notification_pb2 as n
from rossio.notification.v1 import service_pb2 as pb

from .conftest import link_ending, mail_delivered, new_id, numbers, person, published, retracted, shared


async def test_what_happens_comes_into_inboxes_once(stage, until, refused):
    program = stage.notification()
    program.start()
    ana, rui, eva = (stage.caller(program, each) for each in ("nt-ana", "nt-rui", "nt-eva"))
    events = [
        mail_delivered("nt-rui", "nt-eva", message_id="m1"),
        shared("g1", "Escala.pdf", person_id="nt-rui"),
        shared("g2", "Turnos.pdf", group_id="nt-team"),
        shared("g3", "Plano.pdf", by="nt-nuno", entity_id="nt-a"),
        shared("g4", "Guia.pdf", citizen_id="c-joana"),
        link_ending("l1", "Guia.pdf", person_id="nt-ana"),
        link_ending("l2", "Scan.pdf", service_id="svc-scanner"),
        published("p1", numbers("nt-rui", "nt-eva")),
    ]
    for event in events:
        await stage.tell(event)
    await until(lambda: _count(rui, 5))
    assert sorted(await rui.titles()) == [
        "Aviso",
        "Foi partilhado consigo: Escala.pdf",
        "Foi partilhado consigo: Plano.pdf",
        "Foi partilhado consigo: Turnos.pdf",
        "Recebeu uma nova mensagem de correio",
    ]
    await until(lambda: _count(eva, 3))
    assert sorted(await eva.titles()) == ["Aviso (en)", "Shared with you: Turnos.pdf", "You have new mail"]
    await until(lambda: _count(ana, 2))
    assert sorted(await ana.titles()) == [
        "Foi partilhado consigo: Plano.pdf",
        "Uma ligação sua vai expirar: Guia.pdf",
    ], "who shares is not told of it"

    await stage.tell(*events, mail_delivered("nt-rui", message_id="m2"))
    await until(lambda: _count(rui, 6))
    assert len(await rui.inbox()) == 6, "what is told again is not told twice"

    items = await rui.inbox()
    assert [item.item_id for item in items] == sorted((item.item_id for item in items), reverse=True)
    assert await rui.inbox(page_size=1) == items
    assert await rui.unread() == 6
    broadcasts = [item.item_id for item in items if item.item_id.endswith(".all")]
    assert len(broadcasts) == 2
    read = {items[0].item_id, items[3].item_id, *broadcasts}
    assert await rui.mark_read(*read) == await rui.unread() == 6 - len(read)
    assert {item.item_id for item in await rui.inbox() if item.read} == read
    assert [item.item_id for item in await rui.inbox(1, unread_only=True)] == [
        item.item_id for item in items if item.item_id not in read
    ]
    assert await eva.unread() == 3, "what one has read, another has not"
    mine = next(item.item_id for item in items if item.topic == n.TOPIC_MAIL)
    with refused("NOT_FOUND", "ITEM_NOT_FOUND"):
        await eva.mark_read(mine)
    with refused("NOT_FOUND", "NOTIFICATION_NOT_FOUND"):
        await eva.why(mine)
    decisions = await rui.why(mine)
    assert (decisions[n.CHANNEL_IN_APP].reason, decisions[n.CHANNEL_IN_APP].status) == ("default", n.STATUS_DELIVERED)
    assert (decisions[n.CHANNEL_EMAIL].reason, decisions[n.CHANNEL_EMAIL].status) == ("never", n.STATUS_SUPPRESSED)


async def test_news_writes_nothing_per_reader_until_somebody_reads(stage, until):
    program = stage.notification()
    program.start()
    rui = stage.caller(program, "nt-rui")
    await stage.tell(published("p1", numbers("nt-ana", "nt-rui", "nt-eva", "nt-nuno")))
    (item,) = await until(rui.inbox)
    database = stage.database()

    async def documents(name: str) -> int:
        return len([document async for document in database.collection(name).find({})])

    assert [await documents(name) for name in ("notifications", "broadcasts", "broadcast_marks")] == [0, 1, 0]
    await rui.mark_read(item.item_id)
    await rui.mark_read(item.item_id)
    assert await documents("broadcast_marks") == 1
    assert (await rui.why(item.item_id))[n.CHANNEL_EMAIL].reason == "default"


async def test_what_is_retracted_leaves_the_inboxes_and_does_not_come_back(stage, until):
    program = stage.notification()
    program.start()
    rui = stage.caller(program, "nt-rui")
    await stage.tell(published("p1", numbers("nt-rui")))
    await until(rui.inbox)
    await stage.tell(retracted("p1"), retracted("p2"))
    await until(lambda: _count(rui, 0))
    await stage.tell(published("p1", numbers("nt-rui")), published("p2", numbers("nt-rui")))
    await stage.tell(published("p3", numbers("nt-rui"), "Último"))
    await until(rui.inbox)
    late = stage.notification()
    late.start()
    assert await stage.caller(late, "nt-rui").titles() == ["Último"]


async def test_each_version_of_a_duty_is_told_once_and_all_of_it_is_taken_back(stage, until):
    """Other changes of a post are not told; what belongs to a post goes with it, and the process dies half-way."""
    program = stage.notification(ROSSIO_KILL_AT="notification.withdrawn")
    program.start()
    rui, eva = stage.caller(program, "nt-rui"), stage.caller(program, "nt-eva")
    people = numbers("nt-rui", "nt-eva")
    await stage.tell(*(version(number, people, mandatory=True) for number in (1, 2, 2)), reminder("p1", people, 2))
    await stage.tell(*(version(number, people, "p2") for number in (1, 2)), published("p3", people, "Último"))
    await until(lambda: _count(rui, 5))
    assert sorted(await rui.titles()) == [
        "Aviso",
        "Aviso",
        "Falta confirmar a leitura: Aviso",
        "Nova versão, a confirmar de novo: Aviso",
        "Último",
    ]
    assert "New version to acknowledge: Aviso (en)" in await eva.titles()
    await stage.tell(retracted("p1"), version(3, people, mandatory=True))
    await until(lambda: program.exit_code is not None)
    assert program.exit_code == -9
    program.restart(ROSSIO_KILL_AT="")
    rui = stage.caller(program, "nt-rui")
    await until(lambda: _count(rui, 2))
    await stage.tell(published("p4", people, "Depois"))
    await until(lambda: _count(rui, 3))
    assert sorted(await rui.titles()) == ["Aviso", "Depois", "Último"]


def version(number: int, people: Bitmap, post_id: str = "p1", *, mandatory: bool = False) -> Message:
    event = published(post_id, people)
    event.post.MergeFrom(news_pb2.Post(text_version=number, mandatory=mandatory))
    return event


async def test_an_alert_goes_to_all_by_the_emergency_lane_and_reminders_to_those_who_are_late(stage, until):
    stage.mail_routing()
    program = stage.notification()
    program.start()
    rui, eva = stage.caller(program, "nt-rui"), stage.caller(program, "nt-eva")
    alert = published("p1", numbers("nt-rui", "nt-eva"), "Cheia")
    alert.post.options.alert.event = "cheia"
    await stage.tell(alert, reminder("p2", numbers("nt-rui")))
    (letter,) = await until(lambda: stage.letters("nt-rui"))
    assert letter["Subject"] == "Cheia"
    await until(lambda: stage.letters("nt-eva"))
    pushed = [document async for document in stage.database().collection("notifications").find({})]
    assert {document["lane"] for document in pushed} == {"emergency"}
    ways = await rui.why(next(document["_id"] for document in pushed if document["person_id"] == "nt-rui"))
    assert {ways[channel].reason for channel in (n.CHANNEL_EMAIL, n.CHANNEL_SMS)} == {"forced"}
    await until(lambda: _count(rui, 2))
    assert sorted(await rui.titles()) == ["Cheia", "Falta confirmar a leitura: Aviso"]
    assert await eva.titles() == ["Cheia (en)"]
    await stage.tell(news_events.PostExpired(post_id="p1", entity_id="nt-a"))
    await until(lambda: _count(eva, 0))


def reminder(post_id: str, people: Bitmap, text_version: int = 1) -> Message:
    post = published(post_id, people).post
    post.text_version = text_version
    return news_events.AcknowledgementDue(post_id=post_id, post=post, missing=people.serialize(), reminder=1)


async def test_preferences_are_respected_and_own_mails_are_not_told_of(stage, until, refused):
    stage.mail_routing()
    program = stage.notification()
    program.start()
    rui, eva = stage.caller(program, "nt-rui"), stage.caller(program, "nt-eva")
    with refused("INVALID_ARGUMENT", "PREFERENCE_FIXED"):
        await rui.prefer(n.TOPIC_MAIL, n.CHANNEL_EMAIL, enabled=True)
    await eva.prefer(n.TOPIC_DOCUMENT, n.CHANNEL_EMAIL, enabled=False)
    await eva.prefer(n.TOPIC_NEWS, n.CHANNEL_EMAIL, enabled=True)
    await rui.prefer(n.TOPIC_NEWS, n.CHANNEL_IN_APP, enabled=False)
    held = await eva.stub.ListPreferences(pb.ListPreferencesRequest())
    chosen = {(each.topic, each.channel): each.enabled for each in held.preferences}
    assert len(chosen) == 30
    assert (chosen[n.TOPIC_DOCUMENT, n.CHANNEL_EMAIL], chosen[n.TOPIC_NEWS, n.CHANNEL_EMAIL]) == (False, True)

    await stage.tell(shared("g1", group_id="nt-team"), published("p1", numbers("nt-rui", "nt-eva")))
    (news,) = await until(lambda: stage.letters("nt-eva"))
    assert (news["Subject"], news["Auto-Submitted"]) == ("Aviso (en)", "auto-generated")
    (share,) = await until(lambda: stage.letters("nt-rui"))
    assert share["Subject"] == "Foi partilhado consigo: Escala.pdf"
    assert await rui.titles() == ["Foi partilhado consigo: Escala.pdf"], "no news, and nothing of our own mail"
    titles = {item.title: item.item_id for item in await until(lambda: _count(eva, 2))}
    decisions = await eva.why(titles["Shared with you: Escala.pdf"])
    assert (decisions[n.CHANNEL_EMAIL].send, decisions[n.CHANNEL_EMAIL].reason) == (False, "preference")
    pushed = await until(lambda: _ended(eva, titles["Aviso (en)"]))
    assert (pushed.reason, pushed.status, pushed.provider) == ("preference", n.STATUS_DELIVERED, "mail-routing")
    # The report of the mail that was delivered has been taken in by now, and nobody was told of it.
    assert await eva.unread() == 2
    assert await rui.unread() == 1


async def test_what_other_services_tell_stands_sealed_and_goes_to_nobody_who_has_left(stage, until):
    program = stage.notification()
    program.start()
    name, leaver = "Sorologia.pdf", f"nt-{new_id()[:8]}"
    rui, left = stage.caller(program, "nt-rui"), stage.caller(program, leaver)
    await stage.tell(person(leaver, 78))
    await until(lambda: _known(left))
    await stage.tell(shared("g1", name, person_id="nt-rui"), shared("g2", name, person_id=leaver))
    assert await until(rui.titles) == [f"Foi partilhado consigo: {name}"]
    documents = stage.database().collection("notifications")

    async def put_off():
        """By person, what nobody takes: mail-routing is not there."""
        found = [each async for each in documents.find({"due_at": {"$gt": datetime.fromtimestamp(0, UTC)}})]
        return {each["person_id"]: each for each in found} if len(found) == 2 else None

    held = await until(put_off)
    assert all(name.encode() not in bson.encode(each) for each in held.values())
    assert [set(each["sealed"]) for each in held.values()] == [{"in_app", "email"}] * 2
    gone = person(leaver, 78)
    gone.person.state, gone.person.version = directory_pb2.PERSON_STATE_LEFT, 2
    await stage.tell(gone)
    decision = await until(lambda: _failed(left, held[leaver]["_id"]))
    assert decision.reason == "no-address"


async def _failed(reader, notification_id):
    decision = (await reader.why(notification_id))[n.CHANNEL_EMAIL]
    return decision if decision.status == n.STATUS_FAILED else None


async def test_watchers_of_every_process_see_new_items_and_go_on_where_they_were(stage, until):
    here, there = stage.notification(), stage.notification()
    here.start()
    there.start()
    seen: dict[str, list[str]] = {"here": [], "there": []}

    async def watch(name: str, program: object, after: str = "") -> None:
        stub = stage.caller(program, "nt-rui").stub
        async for event in stub.WatchInbox(pb.WatchInboxRequest(after_item_id=after)):
            seen[name].append(event.item.item_id)

    rui = stage.caller(here, "nt-rui")
    watches = [asyncio.create_task(watch("here", here)), asyncio.create_task(watch("there", there))]
    # A watch that has just begun sees what comes from then on; that it has begun shows by the first item.
    await until(lambda: _provoked(stage, seen))
    await stage.tell(mail_delivered("nt-rui"), mail_delivered("nt-eva"), published(new_id(), numbers("nt-rui")))
    for items in seen.values():
        await until(lambda items=items: len(items) >= 3 and any(item.endswith(".all") for item in items))
    for watching in watches:
        watching.cancel()
    await asyncio.gather(*watches, return_exceptions=True)

    items = [item.item_id for item in reversed(await rui.inbox())]
    seen["there"].clear()
    again = asyncio.create_task(watch("there", there, items[0]))
    await until(lambda: len(seen["there"]) == len(items) - 1)
    await stage.tell(mail_delivered("nt-rui"))
    await until(lambda: len(seen["there"]) == len(items))
    again.cancel()
    await asyncio.gather(again, return_exceptions=True)
    assert seen["there"] == [item.item_id for item in reversed(await rui.inbox())][1:]


async def test_what_is_read_on_one_device_shows_on_the_others_and_a_watch_goes_on_where_it_was(stage, until):
    here, there = stage.notification(), stage.notification()
    here.start()
    there.start()
    rui = stage.caller(here, "nt-rui")
    told: list[pb.InboxReads] = []

    async def watch(program: object, after: str = "", person_id: str = "nt-rui") -> None:
        stub = stage.caller(program, person_id).stub
        async for event in stub.WatchInbox(pb.WatchInboxRequest(reads=True, reads_after=after)):
            told.extend([event.reads] if event.HasField("reads") else [])

    await stage.tell(
        mail_delivered("nt-rui"), mail_delivered("nt-rui"), published(new_id(), numbers("nt-rui", "nt-eva"))
    )
    items = await until(lambda: _count(rui, 3))
    watching = asyncio.create_task(watch(there))
    (begin,) = await until(lambda: told)
    assert (begin.item_ids, begin.unread) == ([], 3)
    first, second, third = sorted((item.item_id for item in items), key=lambda each: (each.endswith(".all"), each))
    await rui.mark_read(first, third)
    await until(lambda: {each for reads in told for each in reads.item_ids} == {first, third})
    assert told[-1].unread == 1
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)

    seen = told[-1].cursor
    told.clear()
    await rui.mark_read(first, second, third)
    again = asyncio.create_task(watch(here, seen))
    await until(lambda: any(second in reads.item_ids for reads in told))
    assert told[-1].unread == 0
    again.cancel()
    await asyncio.gather(again, return_exceptions=True)

    told.clear()
    others = asyncio.create_task(watch(here, person_id="nt-eva"))
    await until(lambda: told)
    await stage.tell(mail_delivered("nt-rui"))
    (new, *_) = await until(lambda: _count(rui, 4))
    await rui.mark_read(new.item_id)
    eva = stage.caller(here, "nt-eva")
    (hers,) = await eva.inbox()
    await eva.mark_read(hers.item_id)
    await until(lambda: told[1:])
    assert [list(each.item_ids) for each in told[1:]] == [[hers.item_id]], "nobody is told what others read"
    others.cancel()
    await asyncio.gather(others, return_exceptions=True)


async def test_what_cannot_be_told_is_a_dead_letter_and_is_told_once_when_redriven(stage, until):
    program = stage.notification()
    program.start()
    long_ago = datetime.now(UTC) - timedelta(hours=1)
    stranger = f"nt-{new_id()[:8]}"
    await stage.tell(mail_delivered("nt-rui", stranger, message_id="m1"), at=long_ago)
    letters = messaging.DeadLetters(stage.kafka, "mail.delivery.v1", "notification")
    (letter,) = await until(letters.list)
    assert letter.reason == "PERSON_UNKNOWN"
    await stage.tell(person(stranger, 77))
    newcomer, rui = stage.caller(program, stranger), stage.caller(program, "nt-rui")
    await until(lambda: _known(newcomer))
    assert await letters.redrive() == 1
    await until(newcomer.inbox)
    await stage.tell(mail_delivered("nt-rui", message_id="m2"))
    await until(lambda: _count(rui, 2))
    assert (len(await newcomer.inbox()), len(await rui.inbox())) == (1, 2)
    assert not await letters.list()


async def _count(reader, wanted):
    items = await reader.inbox()
    return (items or [True]) if len(items) == wanted else None


async def _ended(reader, item_id):
    decision = (await reader.why(item_id))[n.CHANNEL_EMAIL]
    return decision if decision.status == n.STATUS_DELIVERED else None


async def _provoked(stage, seen):
    await stage.tell(mail_delivered("nt-rui"))
    await asyncio.sleep(0.1)
    return all(seen.values())


async def _known(reader):
    try:
        await reader.inbox()
    except grpc.aio.AioRpcError as error:
        return rpc.error_of(error).reason != "NOT_IN_DIRECTORY"
    return True
