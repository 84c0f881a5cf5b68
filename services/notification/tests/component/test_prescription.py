"""The paperless prescription: the codes by SMS, the guide by e-mail, and nothing of the codes anywhere else."""

import base64
import http.client
import json
import time
from io import BytesIO
from pathlib import Path

from notification.adapters.vault import KeyVault
from notification.domain import gsm7
from notification.domain.vocabulary import Channel
from pypdf import PdfReader
from rossio.notification.v1 import notification_pb2 as n
from rossio.notification.v1 import service_pb2 as pb
from testkit.sms_provider import SECRET, sign

from .conftest import MASTER, new_id

CODES = {"prescription_number": "8317264950183726495", "access_code": "730194", "option_code": "5821"}
CITIZEN = {"mobile": "+351927364518", "email": "nt-nuno@nt-b.test"}
GUIDE = "Zolmitriptano: um comprimido de manhã e um à noite.\nBeba água.\n"
RIGHT = {**CODES, **CITIZEN, "guide": GUIDE}


async def test_codes_go_by_sms_the_guide_by_mail_and_after_the_receipt_nothing_opens_them(alone, until, tmp_path):
    alone.mail_routing()
    # The receipt takes so long that the sealed message can be opened first, to show that it could be.
    alone.provider("--receipt-ms", "3000")
    program = alone.notification()
    program.start()
    doctor = alone.caller(program, "nt-ana", "prescriber")
    request_id = new_id()
    notification_id = await doctor.prescribe(request_id, **RIGHT)
    assert await doctor.prescribe(request_id, **RIGHT) == notification_id, "a repeated request is the same"
    database = alone.database()
    stored = await database.collection("notifications").get(notification_id)
    vault = KeyVault(database.collection("keys"), MASTER)
    sealed = bytes(stored["sealed"]["sms"])
    opened = (await vault.open(Channel.SMS, {notification_id: sealed}))[notification_id]
    assert all(code in opened.text for code in CODES.values()), "until the receipt it can be opened"

    await until(lambda: _ended(doctor, notification_id))
    decisions = await doctor.why(notification_id)
    assert decisions[n.CHANNEL_SMS].status == decisions[n.CHANNEL_EMAIL].status == n.STATUS_DELIVERED
    assert decisions[n.CHANNEL_IN_APP].status == n.STATUS_SUPPRESSED
    (sms,) = alone.noted("taken")
    assert sms["to"] == CITIZEN["mobile"]
    assert all(code in sms["text"] for code in CODES.values())
    assert gsm7.septets(sms["text"]) <= gsm7.SEGMENT_SEPTETS
    assert "Zolmitriptano" not in sms["text"]
    (mail,) = alone.letters("nt-nuno")
    assert "Zolmitriptano" in mail.get_body().get_content()
    (guide,) = mail.iter_attachments()
    read = PdfReader(BytesIO(guide.get_content())).pages[0].extract_text()
    assert (guide.get_filename(), "um comprimido de manhã e um à noite" in read) == ("guia-de-tratamento.pdf", True)
    assert mail["Subject"] == "Guia de tratamento"
    notice = pb.SendDispensingNoticeRequest(
        request_id=new_id(),
        prescription_number=CODES["prescription_number"],
        mobile=CITIZEN["mobile"],
        pharmacy="Farmácia Central",
    )
    await doctor.stub.SendDispensingNotice(notice)
    (_, told) = await until(lambda: alone.noted("taken") if len(alone.noted("taken")) == 2 else None)
    assert "6495" in told["text"]
    assert "Farmacia Central" in told["text"], "without the accent that the alphabet has not"
    assert CODES["prescription_number"] not in told["text"]

    assert await _sealed(database, notification_id) == {}, "what was sealed is no more, and its keys with it"
    program.stop()
    secrets = [*CODES.values(), CITIZEN["mobile"]]
    everywhere = [
        path
        for path in tmp_path.rglob("*")
        # Kafka's indexes hold offsets alone, and are ten megabytes each before anything is in them.
        if path.is_file() and path != alone.sms.messages and path.suffix not in {".index", ".timeindex"}
    ]
    searched = {folder: sum(folder in path.parts for path in everywhere) for folder in ("kafka", "mongo")}
    assert all(searched.values()), searched
    assert [found for path in everywhere for found in holds(path, secrets)] == []
    master = [path for path in everywhere if MASTER in path.read_bytes()]
    assert master == [], "what may be left of a wrapped key in old pages of the store opens nothing without the master"


def holds(path: Path, secrets: list[str]) -> list[str]:
    """Which of the secrets stand in a file, as they are, in UTF-16, or anywhere in a base64 of something.

    Forms of five bytes or less are left out: they stand in any large file by chance.
    """
    content = path.read_bytes()
    found = []
    for secret in secrets:
        forms = [secret.encode(), secret.encode("utf-16-le"), *in_base64(secret.encode())]
        found += [f"{path}: {secret}" for form in forms if form in content and len(form) > 5]
    return found


def in_base64(secret: bytes) -> list[bytes]:
    """What of the secret stands in a base64 text whatever comes before and after it."""
    inner = []
    for before in range(3):
        coded = base64.b64encode(b"\0" * before + secret)
        inner.append(coded[(before * 8 + 5) // 6 : (before + len(secret)) * 8 // 6])
    return inner


WRONG = (
    ({"prescription_number": "831726495018372649"}, "PRESCRIPTION_NUMBER_MALFORMED"),
    ({"access_code": "73019x"}, "ACCESS_CODE_MALFORMED"),
    ({"option_code": "582"}, "OPTION_CODE_MALFORMED"),
    ({"mobile": "+351212345678"}, "NUMBER_NOT_MOBILE"),
    ({"mobile": "+34612345678"}, "NUMBER_FOREIGN"),
    ({"mobile": "927364518"}, "INVALID_FIELD"),
    ({"email": "nobody"}, "INVALID_FIELD"),
    ({"guide": ""}, "GUIDE_BLANK"),
    ({"guide": "código 730194"}, "GUIDE_HOLDS_CODE"),
    ({"guide": "日本"}, "GUIDE_CHARACTER"),
)


async def test_bad_input_and_callers_without_the_right_are_refused_by_their_reasons(stage, refused):
    program = stage.notification(ROLES="api")
    program.start()
    doctor = stage.caller(program, "nt-ana", "prescriber")
    for wrong, reason in WRONG:
        with refused("INVALID_ARGUMENT", reason):
            await doctor.prescribe(**{**RIGHT, **wrong})
    with refused("PERMISSION_DENIED", "ROLE"):
        await stage.caller(program, "nt-rui").prescribe(**RIGHT)
    notification_id = await doctor.prescribe(**RIGHT)
    with refused("NOT_FOUND", "NOTIFICATION_NOT_FOUND"):
        await stage.caller(program, "nt-rui", "prescriber").why(notification_id)


async def test_forged_repeated_and_unknown_receipts_change_nothing(stage, until):
    stage.provider("--receipt-ms", "600000")
    program = stage.notification()
    program.start()
    doctor = stage.caller(program, "nt-ana", "prescriber")
    notification_id = await doctor.prescribe(**{**RIGHT, "email": "", "guide": ""})
    await until(lambda: _status(doctor, notification_id, n.STATUS_SENT))
    receipts = program.settings["RECEIPTS_ADDRESS"]
    key = f"{notification_id}.sms"
    assert bring(receipts, key, secret="somebody else's") == 401
    assert bring(receipts, key, at=time.time() - 3600) == 401
    assert bring(receipts, key, status="buffered") == 204
    assert bring(receipts, "nothing.sms") == bring(receipts, f"{notification_id}.email") == 204
    assert bring(receipts, f"{notification_id}.in_app") == 204
    assert bring(receipts, None) == bring(receipts, "x" * 20_000) == 400
    decisions = await doctor.why(notification_id)
    assert decisions[n.CHANNEL_SMS].status == n.STATUS_SENT
    assert "sms" in await _sealed(stage.database(), notification_id)
    assert bring(receipts, key, status="delivered") == 204
    assert bring(receipts, key, status="failed") == bring(receipts, key, status="delivered") == 204
    assert (await doctor.why(notification_id))[n.CHANNEL_SMS].status == n.STATUS_DELIVERED, "the first one holds"
    counted = metrics(program)
    for outcome, times in {"forged": 2, "unreadable": 2, "unknown": 3, "passing": 1, "taken": 1, "repeated": 2}.items():
        assert counted[f'rossio_notification_receipts_total{{channel="sms",outcome="{outcome}"}}'] == times


async def test_what_no_provider_takes_expires_and_its_key_with_it(stage, until):
    stage.provider("--refuse", "1")
    program = stage.notification(PRESCRIPTION_EXPIRY="PT2S")
    program.start()
    doctor = stage.caller(program, "nt-ana", "prescriber")
    notification_id = await doctor.prescribe(**{**RIGHT, "email": "", "guide": ""})
    await until(lambda: _status(doctor, notification_id, n.STATUS_FAILED))
    assert (await doctor.why(notification_id))[n.CHANNEL_SMS].reason == "expired"
    assert await _sealed(stage.database(), notification_id) == {}
    assert not stage.noted("taken")


async def test_what_gets_no_receipt_stays_sent_and_its_key_goes_with_its_time(stage, until):
    stage.provider("--receipt-ms", "600000")
    program = stage.notification(PRESCRIPTION_EXPIRY="PT3S")
    program.start()
    doctor = stage.caller(program, "nt-ana", "prescriber")
    notification_id = await doctor.prescribe(**{**RIGHT, "email": "", "guide": ""})
    await until(lambda: _status(doctor, notification_id, n.STATUS_SENT))
    database = stage.database()
    await until(lambda: _closed(database, notification_id))
    assert await _sealed(database, notification_id) == {}
    assert (await doctor.why(notification_id))[n.CHANNEL_SMS].status == n.STATUS_SENT
    assert bring(program.settings["RECEIPTS_ADDRESS"], f"{notification_id}.sms") == 204
    assert (await doctor.why(notification_id))[n.CHANNEL_SMS].status == n.STATUS_DELIVERED, "late is not never"


async def _sealed(database, notification_id):
    return (await database.collection("notifications").get(notification_id))["sealed"]


async def _closed(database, notification_id):
    return "open_until" not in await database.collection("notifications").get(notification_id)


def bring(
    address: str, reference: str | None, *, status: str = "delivered", secret: str = SECRET, at: float | None = None
) -> int:
    """Brings a receipt as a provider would, and returns the HTTP status."""
    body = json.dumps({"id": "sms-9", "reference": reference, "status": status}).encode() if reference else b"{"
    timestamp = str(int(time.time() if at is None else at))
    connection = http.client.HTTPConnection(address, timeout=30)
    headers = {"Signature-Timestamp": timestamp, "Signature": sign(secret, timestamp, body)}
    connection.request("POST", "/receipts/sms", body, headers)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status


def metrics(program) -> dict[str, float]:
    connection = http.client.HTTPConnection(program.admin, timeout=30)
    connection.request("GET", "/metrics")
    lines = connection.getresponse().read().decode().splitlines()
    connection.close()
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines) if name[:1] != "#"}


async def _ended(doctor, notification_id):
    decisions = (await doctor.why(notification_id)).values()
    return all(each.status in {n.STATUS_DELIVERED, n.STATUS_SUPPRESSED} for each in decisions)


async def _status(doctor, notification_id, status):
    return (await doctor.why(notification_id))[n.CHANNEL_SMS].status == status
