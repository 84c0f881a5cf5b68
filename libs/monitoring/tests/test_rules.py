"""Every alert fires when it must and is silent when it must not, as promtool has it, and has a runbook."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from monitoring.__main__ import rules, text
from monitoring.alerts import ALERTS
from monitoring.burn import URGENCIES
from monitoring.objectives import OBJECTIVES

ROOT = Path(__file__).parents[3]
RUNBOOKS = ROOT / "docs" / "runbooks"
NAMES = [*(alert.name for alert in ALERTS), *(objective.alert for objective in OBJECTIVES)]


@pytest.fixture(scope="module")
def promtool():
    found = shutil.which("promtool")
    if found is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("promtool is missing: apt-get install prometheus")
    return found


def firing(promtool, folder, alert, cases, *, minutes, step="1m"):
    """What promtool says about series by case: {case: (series, severities that fire after so many minutes)}."""
    (rule_file,) = [folder / f"{name}.yaml" for name, made in rules().items() if f"alert: {alert}\n" in text(made)]
    rule_file.write_text(text(rules()[rule_file.stem]))
    tests = [
        {
            "name": case,
            "interval": step,
            "input_series": [{"series": name, "values": values} for name, values in series.items()],
            "promql_expr_test": [
                {
                    "expr": f'count by (severity) (ALERTS{{alertname="{alert}",alertstate="firing"}})',
                    "eval_time": f"{minutes}m",
                    "exp_samples": [
                        {"labels": f'{{severity="{severity}"}}', "value": count}
                        for severity, count in severities.items()
                    ],
                }
            ],
        }
        for case, (series, severities) in cases.items()
    ]
    document = {"rule_files": [rule_file.name], "evaluation_interval": step, "tests": tests}
    (folder / "tests.yaml").write_text(yaml.safe_dump(document))
    done = subprocess.run(
        [promtool, "test", "rules", "tests.yaml"], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("alert", ALERTS, ids=[alert.name for alert in ALERTS])
def test_an_alert_fires_and_stays_silent(promtool, tmp_path, alert):
    cases = {"fires": (alert.fires, {alert.severity: 1}), "silent": (alert.silent, {})}
    firing(promtool, tmp_path, alert.name, cases, minutes=30)


@pytest.mark.parametrize("objective", OBJECTIVES, ids=[objective.name for objective in OBJECTIVES])
def test_a_budget_that_burns_fast_pages_and_one_that_is_kept_does_not(promtool, tmp_path, objective):
    """An hour of events, 1,000 a minute: fifty times the budget is bad, or half of it."""
    half = max(1, round(objective.budget * 500))
    fast = min(900, round(objective.budget * 50_000))
    cases = {
        "fires": (objective.measure.sample(1000 - fast, fast, 90), {"page": 1, "ticket": 1}),
        "silent": (objective.measure.sample(2000 - half, half, 90), {}),
    }
    firing(promtool, tmp_path, objective.alert, cases, minutes=80)


def test_a_budget_that_burns_slowly_is_a_ticket_and_nobody_is_woken(promtool, tmp_path):
    """Four times the budget for two days, in steps of four minutes: an older sample is none to Prometheus."""
    objective = OBJECTIVES[0]
    slow = round(objective.budget * 40_000)
    cases = {"slow": (objective.measure.sample(10_000 - slow, slow, 750), {"ticket": 1})}
    firing(promtool, tmp_path, objective.alert, cases, minutes=2880, step="4m")


def test_the_urgencies_are_those_of_the_workbook():
    spent = {
        burn.long: burn.factor * {"1h": 1, "6h": 6, "1d": 24, "3d": 72}[burn.long] / 720
        for urgency in URGENCIES
        for burn in urgency.burns
    }
    assert spent == {"1h": 0.02, "6h": 0.05, "1d": 0.1, "3d": 0.1}


def test_every_alert_has_a_runbook_and_every_runbook_an_alert():
    assert {path.stem for path in RUNBOOKS.glob("*.md")} - {"README"} == set(NAMES)
    listed = (RUNBOOKS / "README.md").read_text()
    for name in NAMES:
        page = (RUNBOOKS / f"{name}.md").read_text()
        assert page.startswith(f"# {name}\n"), name
        assert {"## What it means", "## Look", "## Do"} <= set(page.splitlines()), name
        assert f"({name}.md)" in listed, name
