"""`rossio notify`, for those who send: templates, messages by template, what becomes of them."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any
from uuid import uuid4

import typer
import yaml
from errors import Invalid
from google.protobuf.duration_pb2 import Duration
from google.protobuf.json_format import ParseDict, ParseError
from rossio.notification.v1 import notification_pb2, service_pb2

from cli.client import connect, pages
from cli.command import As, line, note, sync, table, tell

app = typer.Typer()
Values = Annotated[list[str] | None, typer.Option("--value", help="variable=value; may be repeated.")]
_RULE_WORDS = {"default": "unspecified"}
DECISION = ("channel", "sent", "reason", "status", "waits for", "until", "attempts", "provider")


@app.command("template")
@sync
async def put_template(
    file: Annotated[Path, typer.Argument(help="YAML: name, topic, variables, texts.", exists=True, dir_okay=False)],
    caller: As = None,
) -> None:
    """Puts a new version of a template in, as a draft."""
    try:
        request = ParseDict(yaml.safe_load(file.read_text()), service_pb2.PutTemplateRequest())
    except (ParseError, yaml.YAMLError, UnicodeDecodeError, AttributeError) as error:
        raise Invalid(f"{file} is no template: {error}") from error
    request.request_id = str(uuid4())
    async with connect(caller) as client:
        template = (await client.sending.PutTemplate(request)).template
    print(f"{template.name}\t{template.version}")


@app.command("approve")
@sync
async def approve(name: str, version: int, caller: As = None) -> None:
    """Lets a version of a template be sent; its author may not."""
    async with connect(caller) as client:
        request = service_pb2.ApproveTemplateRequest(request_id=str(uuid4()), name=name, version=version)
        await client.sending.ApproveTemplate(request)


@app.command("templates")
@sync
async def templates(caller: As = None) -> None:
    """Lists the templates of the caller's entity."""
    rows = []
    async with connect(caller) as client:
        async for page in pages(client.sending.ListTemplates, service_pb2.ListTemplatesRequest()):
            rows += [(each.name, each.version, _word(each, "state"), _word(each, "topic")) for each in page.templates]
    table(("name", "version", "state", "topic"), rows)


@app.command("preview")
@sync
async def preview(
    name: str,
    version: Annotated[int, typer.Option(help="The newest when it is 0.")] = 0,
    locale: Annotated[str, typer.Option()] = "pt-PT",
    value: Values = None,
    html: Annotated[bool, typer.Option(help="The HTML part of the mail, and nothing else.")] = False,
    caller: As = None,
) -> None:
    """Shows what a template would say, and what its SMS would take."""
    async with connect(caller) as client:
        request = service_pb2.PreviewTemplateRequest(
            name=name, version=version, locale=locale, personalisation=values(value)
        )
        answer = await client.sending.PreviewTemplate(request)
    if html:
        tell(answer.html)
        return
    for what, text in (("title", answer.title), ("mail", answer.mail), ("sms", answer.sms)):
        if text:
            tell(f"-- {what}\n{text}")
    report = answer.sms_report
    if answer.sms:
        note(
            f"sms: {report.segments} of {report.encoding}, {report.length} long, {report.cost_millis / 1000:.3f} EUR"
            + (f"; beyond GSM-7: {report.beyond_gsm7}" if report.beyond_gsm7 else "")
            + (f"; may not be sent: {', '.join(report.problems)}" if report.problems else "")
        )


@app.command("send")
@sync
async def send(
    template: str,
    person: Annotated[str, typer.Option(help="The id of a person of the directory.")] = "",
    email: Annotated[str, typer.Option()] = "",
    mobile: Annotated[str, typer.Option(help="For example +351912345678.")] = "",
    value: Values = None,
    lane: Annotated[str, typer.Option(help="emergency, transactional or bulk")] = "transactional",
    channel: Annotated[list[str] | None, typer.Option(help="May be repeated; all when left out.")] = None,
    fallback: Annotated[bool, typer.Option(help="Each channel only when the one before has failed.")] = False,
    fallback_after: Annotated[int, typer.Option(help="Seconds that each then has; 0: as the service is set.")] = 0,
    reference: Annotated[str, typer.Option()] = "",
    caller: As = None,
) -> None:
    """Sends a message by template to one recipient."""
    try:
        chosen = [notification_pb2.Channel.Value(f"CHANNEL_{each.upper()}") for each in channel or ()]
        chosen_lane = notification_pb2.Lane.Value(f"LANE_{lane.upper()}")
    except ValueError as error:
        raise Invalid("channels are in_app, email, sms, push, webhook; see --help for the lanes") from error
    request = service_pb2.SendRequest(
        request_id=str(uuid4()),
        template=template,
        personalisation=values(value),
        to=service_pb2.Addressee(person_id=person, email=email, mobile=mobile),
        lane=chosen_lane,
        channels=chosen,
        fallback=fallback,
        fallback_after=Duration(seconds=fallback_after) if fallback_after else None,
        reference=reference,
    )
    async with connect(caller) as client:
        answer = await client.sending.Send(request)
    print(answer.notification_id)
    note("; ".join(f"{row[0]}: {row[2]}" for row in map(decision, answer.decisions)))


@app.command("statuses")
@sync
async def statuses(
    after: Annotated[str, typer.Option(help="The cursor of the last one seen.")] = "", caller: As = None
) -> None:
    """Shows what becomes of the caller's messages, as it happens, until Ctrl-C."""
    async with connect(caller) as client:
        async for change in client.sending.WatchStatuses(service_pb2.WatchStatusesRequest(after=after)):
            row = decision(change.status)
            line(change.cursor, change.notification_id, row[0], row[3], row[2], change.reference)


@app.command("policy")
@sync
async def policy(
    topic: Annotated[str, typer.Argument(help="document, news, service or mail")],
    channel: Annotated[str, typer.Argument(help="in_app, email, sms, push or webhook")],
    rule: Annotated[str, typer.Argument(help="forced, on, off, never, or default: the suite's own")],
    caller: As = None,
) -> None:
    """Sets what the caller's entity forces, forbids or presets for its people."""
    try:
        wanted = notification_pb2.Policy(
            topic=notification_pb2.Topic.Value(f"TOPIC_{topic.upper()}"),
            channel=notification_pb2.Channel.Value(f"CHANNEL_{channel.upper()}"),
            rule=notification_pb2.PolicyRule.Value(f"POLICY_RULE_{_RULE_WORDS.get(rule, rule).upper()}"),
        )
    except ValueError as error:
        raise Invalid("there is no such topic, channel or rule: see --help") from error
    async with connect(caller) as client:
        await client.sending.SetPolicy(service_pb2.SetPolicyRequest(request_id=str(uuid4()), policy=wanted))


@app.command("providers")
@sync
async def providers(caller: As = None) -> None:
    """Shows what share of SMS each provider carries, and the steps that led there."""
    async with connect(caller) as client:
        answer = await client.sending.GetProviderSteps(service_pb2.GetProviderStepsRequest())
    note(", ".join(f"{name}: {share} %" for name, share in sorted(answer.shares.items())) or "no step was taken yet")
    table(
        ("at", "reason", "provider", "before", "after", "replays"),
        (
            (
                step.at.ToJsonString(),
                step.reason,
                step.provider,
                step.before[step.provider],
                step.after[step.provider],
                "yes" if step.replays else "NO",
            )
            for step in answer.steps
        ),
    )


@app.command("callback")
@sync
async def callback(url: str, caller: As = None) -> None:
    """Sets where the caller is told, by signed posts, what becomes of its messages; prints the secret."""
    async with connect(caller) as client:
        request = service_pb2.SetCallbackRequest(request_id=str(uuid4()), url=url)
        print((await client.sending.SetCallback(request)).secret)


@app.command("unsuppress")
@sync
async def unsuppress(channel: str, address: str, caller: As = None) -> None:
    """Lets an address be written to again that bounced, or whose owner unsubscribed."""
    async with connect(caller) as client:
        request = service_pb2.LiftSuppressionRequest(
            request_id=str(uuid4()),
            channel=notification_pb2.Channel.Value(f"CHANNEL_{channel.upper()}"),
            address=address,
        )
        lifted = (await client.sending.LiftSuppression(request)).lifted
    note("it may be written to again" if lifted else "it was not suppressed")


def values(given: Iterable[str] | None) -> dict[str, str]:
    """Raises Invalid for one that is not variable=value."""
    pairs = [each.partition("=") for each in given or ()]
    if not all(separator for _, separator, _ in pairs):
        raise Invalid("a value is given as variable=value")
    return {name: said for name, _, said in pairs}


def decision(each: notification_pb2.Decision) -> tuple[object, ...]:
    """A row of what was decided for a channel; see DECISION."""
    return (
        notification_pb2.Channel.Name(each.channel).removeprefix("CHANNEL_").lower(),
        "yes" if each.send else "no",
        each.reason,
        notification_pb2.Status.Name(each.status).removeprefix("STATUS_").lower(),
        each.held,
        each.due_at.ToJsonString() if each.HasField("due_at") else "",
        each.attempts,
        each.provider,
    )


def _word(message: Any, field: str) -> str:
    """The value of an enum field as a word: "approved"."""
    kind = message.DESCRIPTOR.fields_by_name[field].enum_type
    return str(kind.values_by_number[getattr(message, field)].name).rpartition("_")[2].lower()
