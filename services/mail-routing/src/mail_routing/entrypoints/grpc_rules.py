# ruff: noqa: ARG002, N802 - the contract names the methods and their parameters
"""The part of rossio.mail.v1.MailService for transport rules and what they keep back."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import rpc
from rossio.mail.v1 import rules_pb2 as pb
from rossio.mail.v1 import service_pb2_grpc

from mail_routing.adapters import wire, wire_rules
from mail_routing.application.decide_quarantined import DecideQuarantined, ListQuarantine
from mail_routing.application.preview_rule import PreviewRule, Span
from mail_routing.application.rule_changes import GetRules, PutRule, RemoveRule

_A_WEEK = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class RuleCases:
    """What there is to do with rules and with the quarantine."""

    put: PutRule
    remove: RemoveRule
    get: GetRules
    list_quarantine: ListQuarantine
    decide: DecideQuarantined
    preview: PreviewRule
    now: Callable[[], datetime]


class RulesApi(service_pb2_grpc.MailServiceServicer):
    def __init__(self, rules: RuleCases) -> None:
        self._rules = rules

    async def PutRule(self, request: pb.PutRuleRequest, context: Any) -> pb.PutRuleResponse:
        entry = await self._rules.put(
            rpc.caller(),
            wire_rules.rule(request.rule),
            central=request.central,
            new_id=rpc.derived_id("rule")[:16],
            request=rpc.derived_id(),
            at=self._rules.now(),
        )
        return pb.PutRuleResponse(rule=wire_rules.entry(entry))

    async def RemoveRule(self, request: pb.RemoveRuleRequest, context: Any) -> pb.RemoveRuleResponse:
        await self._rules.remove(
            rpc.caller(),
            request.rule_id,
            central=request.central,
            request=rpc.derived_id(),
            at=self._rules.now(),
        )
        return pb.RemoveRuleResponse()

    async def GetRules(self, request: pb.GetRulesRequest, context: Any) -> pb.GetRulesResponse:
        shelf = await self._rules.get(rpc.caller(), central=request.central)
        entries = {entry.rule.rule_id: entry for entry in shelf.entries}
        in_order = (entries[rule.rule_id] for rule in shelf.book().rules)
        history = shelf.history if request.history else ()
        return pb.GetRulesResponse(rules=map(wire_rules.entry, in_order), history=map(wire_rules.entry, history))

    async def PreviewRule(self, request: pb.PreviewRuleRequest, context: Any) -> AsyncIterator[pb.PreviewRuleResponse]:
        now = self._rules.now()
        since = request.since.ToDatetime(UTC) if request.HasField("since") else now - _A_WEEK
        until = request.until.ToDatetime(UTC) if request.HasField("until") else now
        span = Span(since, until, request.limit)
        rule = wire_rules.rule(request.rule)
        async for found in self._rules.preview(rpc.caller(), rule, span, central=request.central):
            yield wire_rules.previewed(found)

    async def ListQuarantine(self, request: pb.ListQuarantineRequest, context: Any) -> pb.ListQuarantineResponse:
        after = str(next(iter(rpc.read_page_token(request)), ""))
        found, goes_on = await self._rules.list_quarantine(rpc.caller(), after, rpc.page_size(request))
        token = rpc.page_token(request, goes_on) if goes_on else ""
        return pb.ListQuarantineResponse(mails=map(wire.kept_back, found), next_page_token=token)

    async def ReleaseQuarantined(
        self, request: pb.ReleaseQuarantinedRequest, context: Any
    ) -> pb.ReleaseQuarantinedResponse:
        await self._rules.decide.release(rpc.caller(), request.quarantine_id, at=self._rules.now())
        return pb.ReleaseQuarantinedResponse()

    async def DropQuarantined(self, request: pb.DropQuarantinedRequest, context: Any) -> pb.DropQuarantinedResponse:
        await self._rules.decide.drop(rpc.caller(), request.quarantine_id, at=self._rules.now())
        return pb.DropQuarantinedResponse()
