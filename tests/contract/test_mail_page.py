"""What docs/operations/mail.md tells operators to type is understood, and its rule is one."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer.main
from cli.main import app
from google.protobuf import json_format
from mail_routing.adapters import wire_rules
from mail_routing.domain import rule_grammar
from rossio.mail.v1 import rules_pb2

PAGE = (Path(__file__).parents[2] / "docs" / "operations" / "mail.md").read_text()
COMMANDS = re.findall(r"^rossio (.*)$", PAGE, re.MULTILINE)
ROSSIO: Any = typer.main.get_command(app)
(RULE,) = re.findall(r"^```json\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "rule.json").write_text(RULE)
    (tmp_path / "mail.eml").write_text("From: a\n\nb\n")
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_is_understood(command: str) -> None:
    words, found = shlex.split(command), ROSSIO
    while hasattr(found, "commands"):
        found = found.commands[words.pop(0)]
    found.make_context(None, words)  # as it would be called; options and files that are not there are refused


def test_the_rule_is_one() -> None:
    rule_grammar.check(wire_rules.rule(json_format.Parse(RULE, rules_pb2.Rule())))


def test_each_group_of_commands_has_its_place() -> None:
    assert {command.split()[1] for command in COMMANDS} == set(ROSSIO.commands["mail"].commands) - {"send"}
