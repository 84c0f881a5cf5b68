"""Protobuf messages of SendService from and to the domain."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from errors import Invalid
from rossio.notification.v1 import service_pb2 as pb
from rossio.notification.v1 import template_pb2
from rpc import Caller

from notification.adapters import wire
from notification.application.send import Order
from notification.application.steer_providers import Logged
from notification.application.watch_statuses import StatusChange
from notification.domain.linter import SmsReport
from notification.domain.recipient import Recipient
from notification.domain.template import Kind, Rendered, State, Template, Text
from notification.domain.vocabulary import Channel

_KINDS: Final = {each: template_pb2.VariableKind.Value(f"VARIABLE_KIND_{each.name}") for each in Kind}
_KIND_OF: Final[Mapping[int, Kind]] = {value: each for each, value in _KINDS.items()}
_STATES: Final = {each: template_pb2.TemplateState.Value(f"TEMPLATE_STATE_{each.name}") for each in State}


def order(request: pb.SendRequest) -> Order:
    """Raises Invalid where an enum has a value of a later release."""
    return Order(
        template=request.template,
        version=request.template_version,
        values=dict(request.personalisation),
        to=recipient(request.to),
        lane=wire.lane(request.lane),
        channels=[wire.channel(each) for each in request.channels],
        fallback=request.fallback,
        fallback_after=request.fallback_after.ToTimedelta() if request.HasField("fallback_after") else None,
        send_at=request.send_at.ToDatetime(UTC) if request.HasField("send_at") else None,
        expires_in=request.expires_in.ToTimedelta() if request.HasField("expires_in") else None,
        reference=request.reference,
    )


def recipient(to: pb.Addressee) -> Recipient:
    """Raises Invalid for one that is an employee and somebody outside at once."""
    if to.person_id and (to.citizen_id or to.email or to.mobile):
        raise Invalid("a person of the directory has the addresses that it knows", reason="RECIPIENT_AMBIGUOUS")
    given = {Channel.EMAIL: to.email, Channel.SMS: to.mobile}
    return Recipient(to.person_id or to.citizen_id, locale=to.locale, addresses=given)


def status_message(change: StatusChange) -> pb.WatchStatusesResponse:
    return pb.WatchStatusesResponse(
        notification_id=change.notification.notification_id,
        reference=change.notification.reference,
        status=wire.decision_message(change.dispatch),
        cursor=change.cursor,
    )


def step_message(logged: Logged, *, replays: bool) -> pb.ProviderStep:
    message = pb.ProviderStep(
        reason=logged.step.reason,
        provider=logged.step.provider,
        before=logged.before.of,
        after=logged.step.after.of,
        measured=[
            pb.ProviderMeasure(provider=name, sent=each.sent, slow=each.slow, errors=each.errors)
            for name, each in logged.measured.items()
        ],
        replays=replays,
    )
    message.at.FromDatetime(logged.at)
    return message


def draft(request: pb.PutTemplateRequest, by: Caller, at: datetime) -> Template:
    """Raises Invalid for a topic or kind that there is not, and for a name or language that stands twice."""
    names, locales = [each.name for each in request.variables], [each.locale for each in request.texts]
    if len(set(names)) < len(names) or len(set(locales)) < len(locales):
        raise Invalid("a variable or a language stands twice", reason="TEMPLATE_REPEATS")
    return Template(
        entity_id=by.entity_id,
        name=request.name,
        version=0,
        topic=wire.topic(request.topic),
        variables={each.name: _kind(each.kind) for each in request.variables},
        texts={each.locale: Text(each.title, each.mail, each.sms) for each in request.texts},
        author=by.subject,
        created_at=at,
    )


def _kind(value: int) -> Kind:
    if value not in _KIND_OF:
        raise Invalid("there is no such kind of variable", reason="VARIABLE_KIND_UNKNOWN")
    return _KIND_OF[value]


def template_message(each: Template) -> template_pb2.Template:
    message = template_pb2.Template(
        name=each.name,
        version=each.version,
        topic=wire.topic_value(each.topic),
        variables=[template_pb2.Variable(name=name, kind=_KINDS[kind]) for name, kind in each.variables.items()],
        texts=[
            template_pb2.TemplateText(locale=locale, title=text.title, mail=text.mail, sms=text.sms)
            for locale, text in each.texts.items()
        ],
        state=_STATES[each.state],
    )
    message.created_at.FromDatetime(each.created_at)
    return message


def preview_message(said: Rendered, report: SmsReport) -> pb.PreviewTemplateResponse:
    return pb.PreviewTemplateResponse(
        title=said.title,
        mail=said.mail,
        html=said.html,
        sms=said.sms,
        sms_report=template_pb2.SmsReport(
            encoding=report.size.encoding,
            length=report.size.length,
            segments=report.size.segments if said.sms else 0,
            cost_millis=report.cost_millis if said.sms else 0,
            problems=report.problems,
            beyond_gsm7=report.beyond_gsm7,
        ),
    )
