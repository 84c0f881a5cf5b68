"""`rossio mail rules` and `rossio mail quarantine`: transport rules, and the mail that they keep back."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated
from uuid import uuid4

import typer
from errors import Invalid
from google.protobuf import json_format
from rossio.mail.v1 import rules_pb2

from cli.client import connect
from cli.command import As, console, note, sync, table

rules = typer.Typer(no_args_is_help=True, help="Transport rules of the entity, or of the whole ministry.")
quarantine = typer.Typer(no_args_is_help=True, help="Mail that rules keep back.")

Central = Annotated[bool, typer.Option("--central", help="The rules of the whole ministry.")]


def read_rule(file: Path) -> rules_pb2.Rule:
    """A rule from JSON as `list --json` prints it.

    Raises:
        Invalid: it is no rule.
    """
    try:
        return json_format.Parse(file.read_text(encoding="utf-8"), rules_pb2.Rule())
    except (UnicodeDecodeError, json_format.ParseError) as error:
        raise Invalid(f"{file} is no rule: {error}") from None


@rules.command("put")
@sync
async def put(
    file: Annotated[Path, typer.Argument(help="The rule as JSON; with a ruleId it is changed.", exists=True)],
    central: Central = False,
    caller: As = None,
) -> None:
    """Makes or changes a rule, and prints its id. `rossio mail resolve --rule FILE` tries it before."""
    request = rules_pb2.PutRuleRequest(request_id=str(uuid4()), rule=read_rule(file), central=central)
    async with connect(caller) as client:
        made = (await client.mail.PutRule(request)).rule
    console.print(f"{made.rule_id} is in force in version {made.version}")


@rules.command("replay")
@sync
async def replay(
    file: Annotated[Path, typer.Argument(help="The rule as JSON.", exists=True)],
    days: Annotated[float, typer.Option(min=0, max=7, help="So far back.")] = 7,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="It ends with so many mails.")] = 100,
    central: Central = False,
    caller: As = None,
) -> None:
    """Shows for which mails of the last days a rule would have held; nothing is done to them. Each look is audited."""
    request = rules_pb2.PreviewRuleRequest(rule=read_rule(file), central=central, limit=limit)
    request.since.FromDatetime(datetime.now(UTC) - timedelta(days=days))
    mails: list[rules_pb2.PreviewedMail] = []
    summary = rules_pb2.PreviewSummary()
    async with connect(caller) as client:
        async for found in client.mail.PreviewRule(request):
            if found.HasField("mail"):
                mails.append(found.mail)
            else:
                summary = found.summary
    table(("mail", "from", "at", "to"), map(_previewed, mails))
    more = ", and maybe for more" if summary.more else ""
    note(f"it would have held for {summary.held:,} of {summary.asked:,} mails{more}; {summary.unread:,} cannot be read")


def _previewed(mail: rules_pb2.PreviewedMail) -> tuple[object, ...]:
    return mail.message_id, mail.sender, mail.accepted_at.ToJsonString(), _few(mail.recipients, mail.recipient_count)


def _few(addresses: Sequence[str], count: int) -> str:
    more = f" and {count - 5} more" if count > 5 else ""
    return ", ".join(addresses[:5]) + more


@rules.command("remove")
@sync
async def remove(rule_id: str, central: Central = False, caller: As = None) -> None:
    """Takes a rule out of force; its former versions stay."""
    request = rules_pb2.RemoveRuleRequest(request_id=str(uuid4()), rule_id=rule_id, central=central)
    async with connect(caller) as client:
        await client.mail.RemoveRule(request)


@rules.command("list")
@sync
async def list_rules(
    central: Central = False,
    history: Annotated[bool, typer.Option("--history", help="Former versions instead.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Whole, a rule a line.")] = False,
    caller: As = None,
) -> None:
    """Shows the rules in the order in which they are asked."""
    async with connect(caller) as client:
        answer = await client.mail.GetRules(rules_pb2.GetRulesRequest(central=central, history=history))
    shown = answer.history if history else answer.rules
    if as_json:
        for rule in shown:
            print(json_format.MessageToJson(rule, indent=None))
        return
    table(("rule", "version", "priority", "name", "does", "changed", "by"), map(_row, shown))


def _row(rule: rules_pb2.Rule) -> tuple[object, ...]:
    does = ", ".join(" ".join(filter(None, (each.verb, each.name, each.value))) for each in rule.actions)
    state = "removed" if rule.removed else "off" if rule.disabled else does
    return rule.rule_id, rule.version, rule.priority, rule.name, state, rule.changed_at.ToJsonString(), rule.changed_by


@quarantine.command("list")
@sync
async def list_quarantine(limit: Annotated[int, typer.Option(min=1, max=1000)] = 100, caller: As = None) -> None:
    """Shows what is kept back in the caller's entity; each look is audited."""
    async with connect(caller) as client:
        answer = await client.mail.ListQuarantine(rules_pb2.ListQuarantineRequest(page_size=limit))
    table(("quarantined", "from", "at", "reason", "to"), map(_kept, answer.mails))


def _kept(mail: rules_pb2.QuarantinedMail) -> tuple[object, ...]:
    to = _few([outcome.address for outcome in mail.outcomes], len(mail.outcomes))
    return mail.quarantine_id, mail.sender, mail.accepted_at.ToJsonString(), mail.reason, to


@quarantine.command("release")
@sync
async def release(quarantine_id: str, caller: As = None) -> None:
    """Lets a mail go on to its recipients."""
    request = rules_pb2.ReleaseQuarantinedRequest(request_id=str(uuid4()), quarantine_id=quarantine_id)
    async with connect(caller) as client:
        await client.mail.ReleaseQuarantined(request)


@quarantine.command("drop")
@sync
async def drop(quarantine_id: str, caller: As = None) -> None:
    """Gives a mail up: nobody gets it, and its sender is not told."""
    request = rules_pb2.DropQuarantinedRequest(request_id=str(uuid4()), quarantine_id=quarantine_id)
    async with connect(caller) as client:
        await client.mail.DropQuarantined(request)
