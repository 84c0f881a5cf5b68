"""A paperless prescription: the codes to the citizen by SMS, the guide by e-mail."""

import json
import secrets
from pathlib import Path
from uuid import uuid4

import telemetry
from rossio.notification.v1 import notification_pb2, service_pb2
from testkit.ministry import Person

from cli.client import Client
from cli.demo.stage import Shown, Stage, check, until

MOBILE = "+351912345678"
GUIDE = "Tomar um comprimido de 8 em 8 horas, durante 7 dias, depois das refeições.\n"
DONE = {notification_pb2.STATUS_SENT, notification_pb2.STATUS_DELIVERED}


def digits(count: int) -> str:
    return "".join(secrets.choice("0123456789") for _ in range(count))


async def prescription(stage: Stage) -> Shown:
    doctor, citizen = stage.cast.person("e01", "prescriber"), stage.cast.person("e02", nth=1)
    client = await stage.client(doctor)
    number, access, option = digits(19), digits(6), digits(4)
    sent = await client.notification.SendPrescription(
        service_pb2.SendPrescriptionRequest(
            request_id=str(uuid4()),
            prescription_number=number,
            access_code=access,
            option_code=option,
            mobile=MOBILE,
            email=citizen.addresses[0],
            guide=GUIDE,
        )
    )
    decisions = await until("SMS and e-mail are out", lambda: _out(client, sent.notification_id))
    told = [line for line in Path(stage.stack.sms_log).read_text().splitlines() if access in line]
    check(len(told) == 1, "the provider was given the SMS with the codes exactly once")
    check(json.loads(told[0])["to"] == MOBILE, "the SMS went to the citizen's mobile")
    letters = await until("the guide is in the mailbox", lambda: _letters(Path(stage.stack.maildirs), citizen))
    check(all(access.encode() not in letter for letter in letters), "no code is in the e-mail")
    channels = ", ".join(
        notification_pb2.Channel.Name(d.channel).removeprefix("CHANNEL_").lower() for d in decisions if d.send
    )
    return Shown(
        [
            f"prescription {number[:4]}…{number[-3:]} sent as {sent.notification_id} by {channels}",
            "SMS receipt taken in: the key of its codes is destroyed",
        ],
        telemetry.current_traceparent().split("-")[1],
    )


async def _out(client: Client, notification_id: str) -> list[notification_pb2.Decision] | None:
    answer = await client.notification.Why(service_pb2.WhyRequest(notification_id=notification_id))
    by_channel = {decision.channel: decision.status for decision in answer.decisions}
    sms = by_channel.get(notification_pb2.CHANNEL_SMS) == notification_pb2.STATUS_DELIVERED
    email = by_channel.get(notification_pb2.CHANNEL_EMAIL) in DONE
    return list(answer.decisions) if sms and email else None


async def _letters(maildirs: Path, citizen: Person) -> list[bytes] | None:
    """The mails in the mailbox that speak of the treatment; the guide itself may be encoded."""
    found = [path.read_bytes() for path in maildirs.glob(f"**/{citizen.person_id}/new/*")]
    return [letter for letter in found if b"Rossio" in letter and b"prescri" in letter.lower()] or None
