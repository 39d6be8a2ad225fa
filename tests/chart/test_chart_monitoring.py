import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

FILES = Path(__file__).parents[2] / "charts" / "trivium" / "files"
Manifest = dict[str, Any]
RenderWith = Callable[[dict[str, Any]], list[Manifest]]


def test_nothing_of_prometheus_or_grafana_is_installed_unless_it_is_asked_for(
    default_manifests: list[Manifest],
) -> None:
    assert not {"PodMonitor", "PrometheusRule", "ConfigMap"} & {one["kind"] for one in default_manifests}


def test_the_rule_holds_the_groups_that_promtool_has_tested_and_links_their_runbooks(render_with: RenderWith) -> None:
    [rule] = _of(render_with({"metrics.alerts.enabled": True, "metrics.alerts.runbooks": "RUNBOOKS"}), "PrometheusRule")
    written = yaml.safe_load((FILES / "alerts.yaml").read_text())
    assert len(written["groups"]) >= 2
    assert rule["spec"] == written


def test_without_an_address_of_the_runbooks_no_alert_links_one(render_with: RenderWith) -> None:
    [rule] = _of(render_with({"metrics.alerts.enabled": True}), "PrometheusRule")
    alerts = [one for group in rule["spec"]["groups"] for one in group["rules"] if "alert" in one]
    assert len(alerts) >= 10
    assert all("runbook_url" not in one["annotations"] and "summary" in one["annotations"] for one in alerts)


def test_each_dashboard_is_a_config_map_with_the_file_as_it_is(render_with: RenderWith) -> None:
    maps = _of(render_with({"metrics.dashboards.enabled": True}), "ConfigMap")
    files = {file.name: json.loads(file.read_text()) for file in (FILES / "dashboards").glob("*.json")}
    assert files
    assert {name: json.loads(text) for one in maps for name, text in one["data"].items()} == files
    assert all(one["metadata"]["labels"]["grafana_dashboard"] == "1" for one in maps)


def test_the_pods_of_jobs_and_of_the_operator_are_scraped_in_the_namespaces_that_are_served(
    render_with: RenderWith,
) -> None:
    monitors = _of(render_with({"metrics.podMonitor.enabled": True}), "PodMonitor")
    assert {one["metadata"]["name"] for one in monitors} == {"trivium-operator", "trivium-ray"}
    served = {"metrics.podMonitor.enabled": True, "namespaces": ["tenant"]}
    [ray] = [one for one in _of(render_with(served), "PodMonitor") if one["metadata"]["name"] == "trivium-ray"]
    assert ray["spec"]["namespaceSelector"] == {"matchNames": ["tenant"]}


def _of(manifests: list[Manifest], kind: str) -> list[Manifest]:
    return [one for one in manifests if one["kind"] == kind]
