"""Alerts, runbooks and dashboards: every rule holds, fires in a test, has its page, and asks for metrics that exist."""

import json
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from testcluster.programs import binary
from trivium.handlers.metrics.families import ALL_FAMILIES

ROOT = Path(__file__).parents[2]
FILES = ROOT / "charts" / "trivium" / "files"
RULE_TESTS = sorted((Path(__file__).parent / "rules").glob("*.yaml"))
DASHBOARDS = sorted((FILES / "dashboards").glob("*.json"))
GROUPS = yaml.safe_load((FILES / "alerts.yaml").read_text())["groups"]
RULES = [rule for group in GROUPS for rule in group["rules"]]
ALERTS = {rule["alert"]: rule for rule in RULES if "alert" in rule}
EXPORTED = {family.name for family in ALL_FAMILIES} | {
    f"{family.name}_{part}" for family in ALL_FAMILIES if family.type == "histogram" for part in ("bucket", "count")
}
RECORDED = {rule["record"] for rule in RULES if "record" in rule}


def promtool(*arguments):
    done = subprocess.run([binary("promtool"), *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def asked_for(expression):
    return set(re.findall(r"\btrivium[_:][a-z0-9_:]+", expression))


def expressions(dashboard):
    return [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]


def test_promtool_takes_the_rules():
    promtool("check", "rules", FILES / "alerts.yaml")


@pytest.mark.parametrize("file", RULE_TESTS, ids=lambda file: file.stem)
def test_the_rules_say_what_they_should(file):
    promtool("test", "rules", file)


def test_every_alert_fires_in_a_test():
    told = "".join(file.read_text() for file in RULE_TESTS)
    firing = set(re.findall(r'alertname="(\w+)",alertstate="firing"', told))
    firing |= set(re.findall(r"alertname: (\w+)\n\s+exp_alerts:\n\s+- exp_labels", told))
    assert firing == set(ALERTS)


def test_every_alert_has_a_page_and_every_page_an_alert():
    pages = {page.stem for page in (ROOT / "docs" / "runbooks").glob("*.md")} - {"README"}
    assert pages == set(ALERTS)
    for name, rule in ALERTS.items():
        assert rule["annotations"]["runbook_url"] == f"RUNBOOKS/{name}.md"
        assert rule["labels"]["severity"] in {"critical", "warning", "info"}
        assert f"[{name}]({name}.md)" in (ROOT / "docs" / "runbooks" / "README.md").read_text()


def test_rules_ask_for_metrics_that_exist():
    for rule in RULES:
        assert asked_for(rule["expr"]) <= EXPORTED | RECORDED, rule
        assert asked_for(rule["expr"]) or "DCGM" in rule["expr"]


@pytest.mark.parametrize("file", DASHBOARDS, ids=lambda file: file.stem)
def test_dashboards_ask_for_metrics_that_exist(file, tmp_path):
    dashboard = json.loads(file.read_text())
    assert dashboard["uid"] == file.stem
    asked = expressions(dashboard)
    assert asked
    assert set().union(*map(asked_for, asked)) <= EXPORTED
    # What Grafana puts in for its own words; promtool 2.42 reads expressions only as rules.
    read = [one.replace("$__rate_interval", "5m").replace("$namespace", ".*").replace("$name", ".*") for one in asked]
    rules = [{"record": f"dashboard:query:{number}", "expr": one} for number, one in enumerate(read)]
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))
    promtool("check", "rules", tmp_path / "rules.yaml")


def test_every_metric_is_shown_or_watched():
    shown = {
        name for file in DASHBOARDS for expr in expressions(json.loads(file.read_text())) for name in asked_for(expr)
    }
    watched = {name for rule in RULES for name in asked_for(rule["expr"])}
    used = {re.sub(r"_(bucket|count)$", "", name) for name in shown | watched}
    assert {family.name for family in ALL_FAMILIES} <= used
