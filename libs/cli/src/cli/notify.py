"""`rossio notify`: inbox, preferences, prescription, why."""

import sys
from getpass import getpass
from typing import Annotated
from uuid import uuid4

import typer
from errors import Invalid
from rossio.notification.v1 import notification_pb2, service_pb2

from cli import bulk, sending
from cli.client import connect
from cli.command import As, note, shown, sync, table, tell

app = typer.Typer(
    no_args_is_help=True,
    help="Read the inbox, set preferences, send a prescription, ask why; templates and messages by them.",
)
app.add_typer(sending.app)
app.add_typer(bulk.app, name="bulk", help="Many messages by one template: start, look, pause, resume, retry.")


@app.command()
@sync
async def inbox(
    limit: Annotated[int, typer.Option()] = 20,
    unread: Annotated[bool, typer.Option(help="Only what was not read.")] = False,
    caller: As = None,
) -> None:
    """Shows the caller's inbox, newest first."""
    async with connect(caller) as client:
        request = service_pb2.ListInboxRequest(page_size=limit, unread_only=unread)
        answer = await client.notification.ListInbox(request)
    table(
        ("item", "topic", "at", "title"), ((i.item_id, _topic(i), i.at.ToJsonString(), i.title) for i in answer.items)
    )
    note(f"{answer.unread} unread")


@app.command()
@sync
async def watch(caller: As = None) -> None:
    """Shows new items of the caller's inbox as they come, and how many are unread, until Ctrl-C."""
    async with connect(caller) as client:
        async for event in client.notification.WatchInbox(service_pb2.WatchInboxRequest(reads=True)):
            if event.HasField("reads"):
                note(f"{event.reads.unread} unread")
                continue
            tell(shown(f"{event.item.at.ToJsonString()}  {_topic(event.item)}  {event.item.title}"))


@app.command()
@sync
async def prefer(
    topic: Annotated[str, typer.Argument(help="mail, document or news")],
    channel: Annotated[str, typer.Argument(help="in_app, email or sms")],
    on: Annotated[bool, typer.Argument(help="on or off")],
    caller: As = None,
) -> None:
    """Switches a topic (mail, document, news) on a channel (in_app, email, sms) on or off."""
    try:
        preference = notification_pb2.Preference(
            topic=notification_pb2.Topic.Value(f"TOPIC_{topic.upper()}"),
            channel=notification_pb2.Channel.Value(f"CHANNEL_{channel.upper()}"),
            enabled=on,
        )
    except ValueError as error:
        raise Invalid("topics are mail, document, news; channels are in_app, email, sms") from error
    async with connect(caller) as client:
        request = service_pb2.SetPreferenceRequest(request_id=str(uuid4()), preference=preference)
        await client.notification.SetPreference(request)


@app.command()
@sync
async def quiet(
    begin: Annotated[str, typer.Argument(help="For example 22:00; the same as the end: no quiet hours.")],
    end: Annotated[str, typer.Argument(help="For example 07:00.")],
    zone: Annotated[str, typer.Option(help="Europe/Lisbon when left out.")] = "",
    caller: As = None,
) -> None:
    """Sets when no SMS and no push may wake the caller, alerts excepted."""
    hours = notification_pb2.QuietHours(begin=begin, end=end, zone=zone)
    async with connect(caller) as client:
        request = service_pb2.SetQuietHoursRequest(request_id=str(uuid4()), quiet_hours=hours)
        await client.notification.SetQuietHours(request)


@app.command()
@sync
async def digest(
    topic: Annotated[str, typer.Argument(help="document, news or service")],
    period: Annotated[str, typer.Argument(help="immediate, hourly or daily")],
    caller: As = None,
) -> None:
    """Sets how often the caller is sent e-mail about a topic."""
    try:
        wanted = notification_pb2.Digest(
            topic=notification_pb2.Topic.Value(f"TOPIC_{topic.upper()}"),
            period=notification_pb2.DigestPeriod.Value(f"DIGEST_PERIOD_{period.upper()}"),
        )
    except ValueError as error:
        raise Invalid("topics are document, news, service; periods are immediate, hourly, daily") from error
    async with connect(caller) as client:
        await client.notification.SetDigest(service_pb2.SetDigestRequest(request_id=str(uuid4()), digest=wanted))


@app.command()
@sync
async def prescription(
    number: Annotated[str, typer.Argument(help="19 digits.")],
    mobile: Annotated[str, typer.Argument(help="For example +351912345678.")],
    access_code: Annotated[str, typer.Option(envvar="ROSSIO_ACCESS_CODE", help="Asked for when it is missing.")] = "",
    option_code: Annotated[str, typer.Option(envvar="ROSSIO_OPTION_CODE", help="Asked for when it is missing.")] = "",
    email: Annotated[str, typer.Option()] = "",
    guide: Annotated[str, typer.Option()] = "",
    caller: As = None,
) -> None:
    """Sends a paperless prescription to a citizen."""
    request = service_pb2.SendPrescriptionRequest(
        request_id=str(uuid4()),
        prescription_number=number,
        access_code=access_code or _asked("access code"),
        option_code=option_code or _asked("option code"),
        mobile=mobile,
        email=email,
        guide=guide,
    )
    async with connect(caller) as client:
        print((await client.notification.SendPrescription(request)).notification_id)


@app.command()
@sync
async def dispensed(
    number: Annotated[str, typer.Argument(help="19 digits.")],
    mobile: Annotated[str, typer.Argument(help="For example +351912345678.")],
    pharmacy: Annotated[str, typer.Argument(help="Its name.")],
    caller: As = None,
) -> None:
    """Tells a citizen that a prescription was dispensed."""
    request = service_pb2.SendDispensingNoticeRequest(
        request_id=str(uuid4()), prescription_number=number, mobile=mobile, pharmacy=pharmacy
    )
    async with connect(caller) as client:
        print((await client.notification.SendDispensingNotice(request)).notification_id)


@app.command()
@sync
async def webhook(url: str, caller: As = None) -> None:
    """Registers an address of the caller's to which notices are posted, signed; prints the secret."""
    async with connect(caller) as client:
        request = service_pb2.RegisterDeviceRequest(request_id=str(uuid4()), url=url)
        print((await client.notification.RegisterDevice(request)).secret)


@app.command()
@sync
async def why(notification: str, caller: As = None) -> None:
    """Says, by channel, what was decided for a notification and what became of it."""
    async with connect(caller) as client:
        answer = await client.notification.Why(service_pb2.WhyRequest(notification_id=notification))
    table(sending.DECISION, map(sending.decision, answer.decisions))


def _asked(what: str) -> str:
    """A secret from the terminal; it stays out of the list of processes."""
    if not sys.stdin.isatty():
        raise Invalid(f"the {what} is missing: set ROSSIO_{what.upper().replace(' ', '_')}, or run this on a terminal")
    return getpass(f"{what.capitalize()}: ")


def _topic(item: notification_pb2.InboxItem) -> str:
    return notification_pb2.Topic.Name(item.topic).removeprefix("TOPIC_").lower()
