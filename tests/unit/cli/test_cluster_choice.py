"""Which of the two worlds a command asks, what it loads for that, and what it says where it cannot."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from trivium.cli.application import application
from trivium.cli.cluster.target import ClusterTarget, choose_target
from trivium.cli.errors import CommandError
from trivium.cli.exit_codes import ExitCode
from trivium.cli.plugin import plugin

NOWHERE = "/nonexistent/kubeconfig"
JOB = """\
apiVersion: trivium.dev/v1alpha1
kind: SFTJob
metadata: {name: chat}
spec:
  model: {from: {hub: {repo: org/model}}}
  data: {train: [{from: {volume: {claimName: data, path: chat.jsonl}}}]}
"""


def choose(**given):
    defaults = {"cluster": False, "kubeconfig": None, "context": None, "namespace": None}
    return choose_target(**{**defaults, **given})


def test_this_machine_is_asked_unless_a_cluster_is_named() -> None:
    assert choose(namespace="team") is None
    assert choose(cluster=True) == ClusterTarget()
    assert choose(context="far", namespace="team") == ClusterTarget(context="far", namespace="team")
    assert choose(kubeconfig=Path("x")) == ClusterTarget(kubeconfig=Path("x"))


@pytest.mark.parametrize(
    "arguments",
    [
        ["status", "-A"],
        ["status", "--as", "jane"],
        ["logs", "chat", "--all-pods"],
        ["logs", "chat", "--tail", "0"],
        ["suspend", "chat", "--wait"],
        ["report", "chat", "--dry-run"],
    ],
    ids=" ".join,
)
def test_what_has_a_meaning_on_a_cluster_only_is_refused_on_this_machine(tmp_path: Path, arguments: list[str]) -> None:
    error = CliRunner().invoke(application, [*arguments, "--state", str(tmp_path)]).exception
    assert isinstance(error, CommandError)
    assert (error.code, "on a cluster only. Add --cluster" in str(error)) == (ExitCode.USAGE, True)


@pytest.mark.parametrize("command", ["status", "why", "logs", "suspend", "resume", "report"])
def test_every_command_of_the_plugin_asks_the_cluster_that_stands_before_it(command: str) -> None:
    arguments = ["--kubeconfig", NOWHERE, command, *(["chat"] if command != "status" else [])]
    error = CliRunner().invoke(plugin, arguments).exception
    assert isinstance(error, CommandError)
    assert (error.code, NOWHERE in str(error)) == (ExitCode.NO_ACCESS, True)


@pytest.mark.parametrize("command", ["status", "why", "logs", "suspend", "resume", "report"])
def test_trivium_asks_a_cluster_that_is_named(command: str) -> None:
    arguments = [command, *(["chat"] if command != "status" else []), "--kubeconfig", NOWHERE]
    assert NOWHERE in str(CliRunner().invoke(application, arguments).exception)


def test_one_job_is_not_looked_for_everywhere() -> None:
    error = CliRunner().invoke(plugin, ["status", "chat", "-A"]).exception
    assert isinstance(error, CommandError)
    assert (error.code, "name its namespace with -n" in str(error)) == (ExitCode.USAGE, True)


def test_without_the_client_the_way_to_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "kubernetes" else found(name))
    error = CliRunner().invoke(plugin, ["status"]).exception
    assert "pip install 'trivium[operator]'" in str(error)


def test_a_context_that_no_file_has_is_told_with_the_file(tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text("apiVersion: v1\nkind: Config\nclusters: []\nusers: []\ncontexts: []\n")
    error = CliRunner().invoke(plugin, ["status", "--kubeconfig", str(path), "--context", "far"]).exception
    assert f"{path}, context far" in str(error)


def test_a_file_that_is_no_kubeconfig_is_told(tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text("- nothing")
    error = CliRunner().invoke(plugin, ["status", "--kubeconfig", str(path)]).exception
    assert isinstance(error, CommandError)
    assert str(path) in str(error)


def test_a_credential_plugin_that_fails_is_told(tmp_path: Path) -> None:
    path = tmp_path / "config"
    command = {"apiVersion": "client.authentication.k8s.io/v1", "command": "false", "interactiveMode": "Never"}
    path.write_text(
        f"""\
apiVersion: v1
kind: Config
current-context: a
clusters: [{{name: a, cluster: {{server: "https://127.0.0.1:1"}}}}]
users: [{{name: a, user: {{exec: {command}}}}}]
contexts: [{{name: a, context: {{cluster: a, user: a}}}}]
"""
    )
    error = CliRunner().invoke(plugin, ["status", "--kubeconfig", str(path)]).exception
    assert "Your credentials could not be got: exec: process returned 1" in str(error)


def test_validating_a_file_loads_no_kubernetes_client(tmp_path: Path) -> None:
    file = tmp_path / "job.yaml"
    file.write_text(JOB)
    code = (
        "import sys\nfrom trivium.cli.application import application\n"
        f"try:\n    application(['validate', {str(file)!r}])\nexcept SystemExit as end:\n    assert end.code == 0\n"
        "print(sorted({'kubernetes', 'aiohttp', 'kopf', 'ray'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_the_program_goes_by_the_name_it_was_called_by(tmp_path: Path) -> None:
    for name, want in (("kubectl-trivium", "Usage: kubectl trivium"), ("trivium", "Usage: trivium")):
        script = tmp_path / name
        script.write_text(f"#!{sys.executable}\nfrom trivium.cli import main\nmain()\n")
        script.chmod(0o755)
        done = subprocess.run([str(script), "--help"], check=True, capture_output=True, text=True)
        assert done.stdout.startswith(want)
