"""What a lib or service says of itself elsewhere: what it asks for, and where a service has to be named."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from configparser import ConfigParser
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from monitoring import alerts

ROOT = Path(__file__).parents[2]
MEMBERS = sorted(path.parent for path in ROOT.glob("[ls]*/*/pyproject.toml"))
SERVICES = [path.name for path in MEMBERS if path.parent.name == "services"]
DISTRIBUTIONS = packages_distributions()
LOADED_BY_OTHERS = {"cramjam"}
"""By aiokafka, where records are compressed."""

# Beside its own folders; what follows from these by itself is not here.
NAMED_IN = {
    "pyproject.toml": ('"rossio-{}",', "rossio-{} = ", "/services/{}/src"),
    "libs/devstack/src/devstack/services.py": ('"{}"',),
    "charts/rossio/Chart.yaml": ("name: {},",),
    "charts/README.md": ("`{}/`",),
    "skaffold.yaml": ("rossio/{}\n", "  {}.image.tag:"),
}


def canonical(requirement: str) -> str:
    return re.sub(r"[-_.]+", "-", re.split(r"[\[<>=~! ;]", requirement)[0]).lower()


def asked(member: Path) -> set[str]:
    project = tomllib.loads((member / "pyproject.toml").read_text())["project"]
    return {canonical(each) for each in project["dependencies"]}


def imported(member: Path) -> Iterator[str]:
    """The distributions that the sources import something of, beside the standard library and themselves."""
    suite = {path.name: f"rossio-{path.name.replace('_', '-')}" for path in MEMBERS} | {"rossio": "rossio-protos"}
    for path in (member / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                modules = [name.name for name in node.names]
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                modules = [node.module or ""]
            else:
                continue
            for top in {module.partition(".")[0] for module in modules} - sys.stdlib_module_names - {member.name}:
                yield from [suite[top]] if top in suite else map(canonical, DISTRIBUTIONS.get(top, ()))


@pytest.mark.parametrize("member", MEMBERS, ids=lambda path: path.name)
def test_a_member_asks_for_what_it_imports_and_for_no_more(member: Path) -> None:
    used = set(imported(member))
    assert asked(member) - used <= LOADED_BY_OTHERS
    assert {each for each in used - asked(member) if each.startswith("rossio-")} <= {f"rossio-{member.name}"}


@pytest.mark.parametrize("path", NAMED_IN)
@pytest.mark.parametrize("service", SERVICES)
def test_a_service_is_named_wherever_it_has_to_be(service: str, path: str) -> None:
    text = (ROOT / path).read_text()
    assert not [each for each in NAMED_IN[path] if each.format(service) not in text]


def test_an_alert_about_processes_watches_those_of_every_service() -> None:
    assert sorted(alerts.SERVICES.split("|")) == SERVICES


def test_a_rule_of_imports_that_holds_for_one_service_holds_for_all() -> None:
    rules = ConfigParser()
    rules.read(ROOT / ".importlinter")
    packages = {service.replace("-", "_") for service in SERVICES}
    for name in rules.sections():
        words = set(re.findall(r"[a-z_]+", " ".join(rules[name].get(key, "") for key in rules[name] if key != "name")))
        assert packages & words in (set(), packages), name
