"""OperatorSettings: every variable is read, a wrong one is named, and the reference page tells of each."""

from pathlib import Path

import pytest

from trivium.handlers.settings import OperatorSettings, SettingsError, read_settings

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "operator-settings.md"


def test_what_is_absent_or_empty_has_its_default() -> None:
    assert read_settings({"TRIVIUM_NAMESPACES": "", "PATH": "/bin"}).namespaces == ()


def test_namespaces_are_separated_by_commas() -> None:
    settings = read_settings({"TRIVIUM_NAMESPACES": "team-a, team-b,", "TRIVIUM_PROFILES_FILE": "/profiles.yaml"})
    assert settings.namespaces == ("team-a", "team-b")


def test_named_namespaces_bring_their_profiles() -> None:
    with pytest.raises(SettingsError, match="TRIVIUM_NAMESPACES needs TRIVIUM_PROFILES_FILE"):
        read_settings({"TRIVIUM_NAMESPACES": "team-a"})


def test_reports_need_a_certificate_and_an_address() -> None:
    with pytest.raises(SettingsError, match="TRIVIUM_PROGRESS_URL needs TRIVIUM_TLS_FOLDER"):
        read_settings({"TRIVIUM_PROGRESS_URL": "https://here:8443/v1alpha1/progress"})


def test_each_process_has_another_identity_that_begins_with_its_pod(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POD_NAME", "trivium-0")
    first, second = read_settings({}).identity, read_settings({}).identity
    assert first != second
    assert first.startswith("trivium-0-")


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("TRIVIUM_PROBE_PORT", "70000", "TRIVIUM_PROBE_PORT: 70000: .*65535"),
        ("TRIVIUM_NUM_WORKERS", "0", "TRIVIUM_NUM_WORKERS: 0: "),
        ("TRIVIUM_NUM_WORKERS", "many", "TRIVIUM_NUM_WORKERS: many: .*integer"),
        ("TRIVIUM_LOG_LEVEL", "loud", "TRIVIUM_LOG_LEVEL: loud: .*'debug'"),
        ("TRIVIUM_NUM_WORKER", "8", "TRIVIUM_NUM_WORKER: there is no such setting.*TRIVIUM_NUM_WORKERS"),
    ],
)
def test_what_cannot_be_is_named_with_its_value_and_rule(name: str, value: str, words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        read_settings({name: value})


def test_what_kubernetes_sets_for_the_services_of_a_namespace_is_no_setting_of_ours() -> None:
    read_settings({"TRIVIUM_PROGRESS_SERVICE_HOST": "10.0.0.9", "TRIVIUM_PROGRESS_PORT_443_TCP": "tcp://10.0.0.9:443"})


def test_the_reference_page_tells_of_every_setting() -> None:
    page = PAGE.read_text()
    for name, field in OperatorSettings.model_fields.items():
        assert f"| `TRIVIUM_{name.upper()}` |" in page
        assert str(field.description) in page
