"""Our SMPP beside somebody else's: the client against the simulator, smpplib against both."""

import asyncio
import json
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import smpplib.client
import smpplib.consts
import smpplib.gsm
from errors import Invalid, Transient
from hypothesis import given
from hypothesis import strategies as st
from notification.adapters.smpp import pdu
from notification.adapters.smpp.pdu import Command, Pdu, ShortMessage
from notification.adapters.smpp.provider import SmppProvider, read_receipt
from notification.adapters.smpp.segments import segments
from notification.adapters.smpp.session import Peer
from notification.adapters.sms import SmsProvider
from notification.adapters.window import Window
from notification.application.ports import NotTaken
from notification.domain.texts import Message, Submission
from notification.domain.vocabulary import Channel, Lane, Receipted, Topic
from smpplib import smpp
from telemetry import capture, names
from testkit.polling import until
from testkit.sms_provider import KEY as HTTP_KEY
from testkit.sms_provider import Behaviour
from testkit.sms_provider import SmsProvider as HttpSimulator
from testkit.smsc import PASSWORD, SYSTEM_ID, Manner, Smsc

LONG = "Olá [mãe] €" * 30
TEXTS = ("Código: 123456", "€[]{}" * 32, "a" * 160, "a" * 161, "x" * 500 + "€", LONG, "日本 😀" * 20)
QUICK = Manner(latency_ms=0, receipt_ms=0)


def submission(number: int, lane: Lane = Lane.TRANSACTIONAL) -> Submission:
    return Submission(f"n{number}.sms", f"n{number}", Topic.SERVICE, lane)


class Taken:
    """Receipts as the service takes them."""

    def __init__(self) -> None:
        self.receipts: dict[str, bool] = {}

    async def __call__(self, reference: str, delivered: bool) -> Receipted:
        if reference.startswith("ffff"):
            return Receipted.UNKNOWN
        known = reference in self.receipts
        self.receipts.setdefault(reference, delivered)
        return Receipted.REPEATED if known else Receipted.TAKEN


async def bound(centre: Smsc, taken: Taken, password: str = PASSWORD, **options) -> SmppProvider:
    peer = Peer("127.0.0.1", centre.port, SYSTEM_ID, password, **options)
    provider = SmppProvider("sms-smpp", peer, "Rossio", taken)
    await provider.start()
    if password == PASSWORD:
        await until(lambda: provider._session.bound)
    return provider


def noted(path: Path, event: str) -> list[dict]:
    lines = path.read_text().splitlines() if path.exists() else []
    return [said for said in map(json.loads, lines) if said["event"] == event]


async def test_every_text_arrives_as_it_was_and_its_receipt_comes_back(tmp_path):
    log, taken = tmp_path / "log", Taken()
    centre = Smsc(log, manner=QUICK)
    await centre.start()
    provider = await bound(centre, taken, enquire_every=0.05)
    references = []
    for number, text in enumerate(TEXTS):
        references.append(await provider.submit(Message("+351912345678", "", text), submission(number)))
    assert [centre.taken[reference.split()[-1]] for reference in references] == list(TEXTS)
    parts = [len(segments(text, 0)) for text in TEXTS]
    assert [len(reference.split()) for reference in references] == parts
    await until(lambda: set(taken.receipts) == set(" ".join(references).split()))
    assert all(taken.receipts.values())
    await until(lambda: noted(log, "enquired"))
    assert {said["to"] for said in noted(log, "taken")} == {"+351912345678"}
    await provider.stop()
    await centre.stop()


async def test_an_emergency_finds_a_place_in_the_window_behind_any_number_of_others():
    window, inside, done = Window(8), [], asyncio.Semaphore(0)

    async def send(lane: Lane) -> None:
        async with window.place(lane):
            inside.append(lane)
            await done.acquire()

    tasks = []
    for lane, number in ((Lane.BULK, 20), (Lane.TRANSACTIONAL, 10), (Lane.EMERGENCY, 1), (Lane.EMERGENCY, 1)):
        tasks += [asyncio.create_task(send(lane)) for _ in range(number)]
        await asyncio.sleep(0)  # all of them ask
        await asyncio.sleep(0)  # and those that may are in
    assert inside == [Lane.BULK] * 4 + [Lane.TRANSACTIONAL] * 3 + [Lane.EMERGENCY], "the second waits: it is full"
    tasks[10].cancel()  # one that waits
    for _ in range(len(tasks) - 1):
        done.release()
        await asyncio.sleep(0)
    await asyncio.gather(*tasks, return_exceptions=True)
    assert inside[8:] == [Lane.EMERGENCY] + [Lane.TRANSACTIONAL] * 7 + [Lane.BULK] * 15
    async with asyncio.timeout(60), window.place(Lane.BULK):
        pass  # all places were given back


async def test_no_more_wait_for_their_answer_than_the_window_holds_and_all_are_answered(tmp_path):
    centre = Smsc(tmp_path / "log", manner=Manner(latency_ms=5, receipt_ms=0))
    await centre.start()
    provider = await bound(centre, Taken(), window=4)
    most = 0

    async def look() -> None:
        nonlocal most
        while True:
            most = max(most, len(provider._session._waiting))
            await asyncio.sleep(0)

    looking = asyncio.create_task(look())
    texts = [Message("+351912345678", "", f"n. {number}") for number in range(60)]
    ids = await asyncio.gather(*(provider.submit(text, submission(number)) for number, text in enumerate(texts)))
    looking.cancel()
    assert len(set(ids)) == 60
    assert 1 < most <= 4
    await provider.stop()
    await centre.stop()


async def test_what_was_not_taken_is_told_apart_from_what_may_have_been(tmp_path):
    log = tmp_path / "log"
    message = Message("+351912345678", "", "x")
    centre = Smsc(log, manner=Manner(latency_ms=0, throttle=1))
    await centre.start()
    provider = await bound(centre, Taken(), answer=5)
    with pytest.raises(NotTaken) as busy:
        await provider.submit(message, submission(1))
    assert busy.value.reason == "PROVIDER_BUSY"
    centre.manner = Manner(latency_ms=0, break_off=1)
    with pytest.raises(Transient) as broken:
        await provider.submit(message, submission(2))
    assert not isinstance(broken.value, NotTaken), "it has it, and could not say so"
    assert [said["text"] for said in noted(log, "taken")] == ["x"]
    with pytest.raises(NotTaken):
        await provider.submit(message, submission(3))
    centre.manner = QUICK
    await until(lambda: provider._session.bound)
    assert await provider.submit(message, submission(4)), "it binds again by itself"
    await provider.stop()
    await centre.stop()


async def test_with_a_wrong_password_nothing_is_sent(tmp_path):
    centre = Smsc(tmp_path / "log", manner=QUICK)
    await centre.start()
    provider = await bound(centre, Taken(), password="wrong")
    with pytest.raises(NotTaken):
        await provider.submit(Message("+351912345678", "", "x"), submission(1))
    await provider.stop()
    await centre.stop()


async def test_receipts_that_come_twice_or_contrary_or_of_nothing_are_settled_and_counted(tmp_path):
    log, taken = tmp_path / "log", Taken()
    centre = Smsc(log, manner=Manner(latency_ms=0, receipt_ms=1, repeat_receipt=1, stray_receipt=1))
    await centre.start()
    before = counted()
    provider = await bound(centre, taken)
    provider._unknown_for = 0.5
    message_id = await provider.submit(Message("+351912345678", "", "x"), submission(1))
    await until(lambda: len(noted(log, "receipt")) == 4)
    assert [(said["id"], said["state"]) for said in noted(log, "receipt")] == [
        (message_id, "DELIVRD"),
        (message_id, "DELIVRD"),
        (message_id, "UNDELIV"),
        (f"ffff{message_id}", "DELIVRD"),
    ]
    assert taken.receipts == {message_id: True}
    now = counted()
    assert {each: now[each] - before[each] for each in ("taken", "repeated", "unknown")} == {
        "taken": 1,
        "repeated": 2,
        "unknown": 1,
    }
    assert now["early"] > before["early"], "it had to come again before it was given up"
    assert not provider._unknown
    await provider.stop()
    await centre.stop()


def counted() -> Counter[str]:
    """The receipts of this process by what was done with them."""
    outcomes = ("taken", "repeated", "unknown", "early")
    return Counter(
        {
            each: int(capture.value(names.NOTIFICATION_RECEIPTS, channel=Channel.SMS.value, outcome=each))
            for each in outcomes
        }
    )


async def test_over_http_too_an_emergency_finds_a_place_behind_any_number_of_others(tmp_path):
    simulated = HttpSimulator(tmp_path / "log", behaviour=Behaviour(latency_ms=0, receipt_ms=600_000))
    await simulated.start()
    simulated.held = asyncio.Event()
    provider = SmsProvider(simulated.url, HTTP_KEY, "http://127.0.0.1:1/receipts", window=8)
    await provider.start()
    lanes = [Lane.BULK] * 20 + [Lane.TRANSACTIONAL] * 10 + [Lane.EMERGENCY]
    tasks = [
        asyncio.create_task(provider.submit(Message("+351912345678", "", lane), submission(number, lane)))
        for number, lane in enumerate(lanes)
    ]
    await until(lambda: simulated.waiting == 8)
    simulated.held.set()
    await asyncio.gather(*tasks)
    begun = Counter(said["text"] for said in noted(tmp_path / "log", "taken")[:8])
    assert begun == {Lane.BULK: 4, Lane.TRANSACTIONAL: 3, Lane.EMERGENCY: 1}
    await provider.stop()
    await simulated.stop()


async def test_somebody_else_s_client_understands_the_simulator(tmp_path):
    centre = Smsc(tmp_path / "log", manner=QUICK)
    await centre.start()
    receipts = await asyncio.to_thread(smpplib_sends, centre.port)
    assert sorted(centre.taken.values()) == sorted(["Olà", LONG])
    assert [(each["state"], each["id"] in centre.taken) for each in receipts] == [("DELIVRD", True)] * 2
    await centre.stop()


def smpplib_sends(port: int) -> list[dict[str, str]]:
    """Sends two texts as that library does, and returns what it read in the receipts."""
    client = smpplib.client.Client("127.0.0.1", port, allow_unknown_opt_params=True, timeout=30)
    client.connect()
    client.bind_transceiver(system_id=SYSTEM_ID, password=PASSWORD)
    sent, receipts = [], []
    client.set_message_sent_handler(lambda pdu: sent.append(pdu.message_id))

    def received(pdu) -> int:
        message_id, state = pdu.receipted_message_id, pdu.short_message.decode().partition("stat:")[2][:7]
        name = message_id.decode() if isinstance(message_id, bytes) else message_id
        receipts.append({"id": name.rstrip("\0"), "state": state})
        return 0

    client.set_message_received_handler(received)
    for text in ("Olà", LONG):
        parts, coding, kind = smpplib.gsm.make_parts(text)
        for number, part in enumerate(parts, 1):
            client.send_message(
                source_addr_ton=smpplib.consts.SMPP_TON_ALNUM,
                source_addr="Rossio",
                dest_addr_ton=smpplib.consts.SMPP_TON_INTL,
                destination_addr="351912345678",
                short_message=part,
                data_coding=coding,
                esm_class=kind,
                registered_delivery=number == len(parts),
            )
    deadline = time.monotonic() + 60
    while len(receipts) < 2 and time.monotonic() < deadline:
        client.read_once()
    client.unbind()
    client.disconnect()
    return receipts


@given(st.sampled_from(TEXTS), st.integers(0, 255))
def test_somebody_else_s_reader_reads_our_units(text, reference):
    for part in segments(text, reference):
        short = ShortMessage(
            "Rossio", "+351912345678", part.content, pdu.UDH if part.has_header else 0, part.data_coding, 1
        )
        raw = Pdu(Command.SUBMIT_SM, 7, body=short.encode()).encode()
        read: Any = smpp.parse_pdu(raw, client=_Sequences(), allow_unknown_opt_params=True)
        assert (read.command, read.sequence) == ("submit_sm", 7)
        assert (read.source_addr, read.destination_addr) == (b"Rossio", b"351912345678")
        assert (read.short_message, read.data_coding) == (part.content, part.data_coding)
        again = pdu.read_short_message(short.encode())
        assert (again.content, again.esm_class, again.destination) == (part.content, short.esm_class, "351912345678")


class _Sequences:
    """What that library asks of a client when it makes a unit."""

    sequence = 1

    def next_sequence(self) -> int:
        return 1


def test_our_segments_are_those_of_somebody_else():
    for text in ("a" * 160, "a" * 161, "x" * 500):
        theirs, coding, _ = smpplib.gsm.make_parts(text)
        ours = segments(text, 0)
        assert [part.content[6:] if part.has_header else part.content for part in ours] == [
            part[6:] if len(theirs) > 1 else part for part in theirs
        ]
        assert {part.data_coding for part in ours} == {coding}


@given(st.binary(max_size=200))
def test_whatever_comes_is_a_unit_or_refused(raw):
    for read in (lambda: pdu.take(bytearray(raw)), lambda: pdu.read_short_message(raw)):
        with suppress(Invalid):
            read()


def test_receipts_are_read_with_and_without_parameters():
    text = b"id:0a1b sub:001 dlvrd:000 submit date:2611261200 done date:2611261201 stat:%s err:001 text:"
    for state, delivered in ((b"DELIVRD", True), (b"UNDELIV", False), (b"ENROUTE", None)):
        receipt = read_receipt(ShortMessage("1", "2", text % state, esm_class=pdu.RECEIPT))
        assert receipt is not None
        assert (receipt.message_id, receipt.delivered) == ("0a1b", delivered)
    options = {pdu.RECEIPTED_MESSAGE_ID: b"77\0", pdu.MESSAGE_STATE: b"\x02"}
    bare = read_receipt(ShortMessage("1", "2", b"", esm_class=pdu.RECEIPT, options=options))
    assert bare is not None
    assert (bare.message_id, bare.delivered) == ("77", True)
    assert read_receipt(ShortMessage("1", "2", b"STOP")) is None
    assert read_receipt(ShortMessage("1", "2", b"nonsense", esm_class=pdu.RECEIPT)) is None
