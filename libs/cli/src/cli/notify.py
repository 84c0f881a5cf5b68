"""`rossio notify`: inbox, preferences, prescription, why."""

from typing import Annotated
from uuid import uuid4

import typer
from errors import Invalid
from rossio.notification.v1 import notification_pb2, service_pb2

from cli.client import connect
from cli.command import As, console, sync, table

app = typer.Typer(no_args_is_help=True, help="Read the inbox, set preferences, send a prescription, ask why.")


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
    console.print(f"{answer.unread} unread")


@app.command()
@sync
async def watch(caller: As = None) -> None:
    """Shows new items of the caller's inbox as they come, until Ctrl-C."""
    async with connect(caller) as client:
        async for event in client.notification.WatchInbox(service_pb2.WatchInboxRequest()):
            console.print(f"{event.item.at.ToJsonString()}  {_topic(event.item)}  {event.item.title}", markup=False)


@app.command()
@sync
async def prefer(topic: str, channel: str, on: bool, caller: As = None) -> None:
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
async def prescription(
    number: Annotated[str, typer.Argument(help="19 digits.")],
    mobile: str,
    access_code: Annotated[str, typer.Option(prompt=True, hide_input=True)],
    option_code: Annotated[str, typer.Option(prompt=True, hide_input=True)],
    email: Annotated[str, typer.Option()] = "",
    guide: Annotated[str, typer.Option()] = "",
    caller: As = None,
) -> None:
    """Sends a paperless prescription to a citizen."""
    request = service_pb2.SendPrescriptionRequest(
        request_id=str(uuid4()),
        prescription_number=number,
        access_code=access_code,
        option_code=option_code,
        mobile=mobile,
        email=email,
        guide=guide,
    )
    async with connect(caller) as client:
        print((await client.notification.SendPrescription(request)).notification_id)


@app.command()
@sync
async def why(notification: str, caller: As = None) -> None:
    """Says, by channel, what was decided for a notification and what became of it."""
    async with connect(caller) as client:
        answer = await client.notification.Why(service_pb2.WhyRequest(notification_id=notification))
    table(("channel", "sent", "reason", "status", "provider"), map(_decision, answer.decisions))


def _topic(item: notification_pb2.InboxItem) -> str:
    return notification_pb2.Topic.Name(item.topic).removeprefix("TOPIC_").lower()


def _decision(decision: notification_pb2.Decision) -> tuple[object, ...]:
    return (
        notification_pb2.Channel.Name(decision.channel).removeprefix("CHANNEL_").lower(),
        "yes" if decision.send else "no",
        decision.reason,
        notification_pb2.Status.Name(decision.status).removeprefix("STATUS_").lower(),
        decision.provider,
    )
