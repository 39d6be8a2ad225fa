"""A pod's mounts as links below one folder."""

import stat
from pathlib import Path

import pytest

from trivium.local.mounts import ContainerConfigError, PodMounts
from trivium.local.state_folder import StateFolder


def pod(*volumes: dict, mounts: list[dict] | None = None) -> dict:
    named = [{"name": f"v{number}", **volume} for number, volume in enumerate(volumes)]
    default = [{"name": volume["name"], "mountPath": f"/trivium/{volume['name']}"} for volume in named]
    return {"volumes": named, "containers": [{"name": "ray", "volumeMounts": default if mounts is None else mounts}]}


@pytest.fixture
def mounts(tmp_path: Path) -> PodMounts:
    config_maps = {"config": {"run.json": "{}", "other": "x"}}
    return PodMounts(
        state=StateFolder(tmp_path / "state"),
        namespace="default",
        folder=tmp_path / "attempt",
        read_config_map=config_maps.get,
        token="secret-token",
    )


def test_a_claim_is_its_folder(mounts: PodMounts) -> None:
    mounts.materialize(pod({"persistentVolumeClaim": {"claimName": "runs"}}))
    (mounts.root / "trivium/v0/file").write_text("hello")
    assert (mounts.state.claim("default", "runs") / "file").read_text() == "hello"


def test_a_claim_may_be_a_link_to_any_folder(mounts: PodMounts, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    claim = mounts.state.claim("default", "runs")
    claim.parent.mkdir(parents=True)
    claim.symlink_to(tmp_path / "elsewhere")
    mounts.materialize(pod({"persistentVolumeClaim": {"claimName": "runs"}}))
    assert (mounts.root / "trivium/v0").resolve() == tmp_path / "elsewhere"


def test_a_sub_path_is_a_folder_inside_the_claim(mounts: PodMounts) -> None:
    mount = {"name": "v0", "mountPath": "/trivium/runs", "subPath": "team/a"}
    mounts.materialize(pod({"persistentVolumeClaim": {"claimName": "runs"}}, mounts=[mount]))
    assert (mounts.root / "trivium/runs").resolve() == mounts.state.claim("default", "runs").resolve() / "team/a"


def test_config_maps_and_tokens_become_files_that_only_the_owner_reads(mounts: PodMounts) -> None:
    token = {"serviceAccountToken": {"path": "token", "audience": "x"}}
    mounts.materialize(pod({"configMap": {"name": "config"}}, {"projected": {"sources": [token]}}))
    assert (mounts.root / "trivium/v0/run.json").read_text() == "{}"
    assert (mounts.root / "trivium/v1/token").read_text() == "secret-token"
    assert stat.S_IMODE((mounts.root / "trivium/v1/token").stat().st_mode) == 0o600


def test_items_choose_keys_and_paths(mounts: PodMounts) -> None:
    items = [{"key": "other", "path": "deep/name"}]
    mounts.materialize(pod({"configMap": {"name": "config", "items": items}}))
    assert [p.name for p in (mounts.root / "trivium/v0").rglob("*") if p.is_file()] == ["name"]


def test_a_secret_is_a_folder_with_a_file_a_key(mounts: PodMounts) -> None:
    folder = mounts.state.secret("default", "trivium-hub")
    with pytest.raises(ContainerConfigError, match="write each key as a file into"):
        mounts.materialize(pod({"secret": {"secretName": "trivium-hub"}}))
    folder.mkdir(parents=True)
    (folder / "token").write_text("hf_x\n")
    mounts.materialize(pod({"secret": {"secretName": "trivium-hub"}}))
    assert (mounts.root / "trivium/v0/token").read_text() == "hf_x"


@pytest.mark.parametrize(
    ("volume", "message"),
    [
        ({"configMap": {"name": "absent"}}, "ConfigMap default/absent is not there"),
        ({"configMap": {"name": "config", "items": [{"key": "no", "path": "x"}]}}, "ConfigMap config has no key no"),
        ({"configMap": {"name": "config", "items": [{"key": "other", "path": "../x"}]}}, "holds no '..'"),
        ({"hostPath": {"path": "/"}}, "hostPath cannot be mounted on this machine"),
        ({"projected": {"sources": [{"downwardAPI": {}}]}}, "downwardAPI cannot be mounted"),
    ],
)
def test_what_cannot_be_mounted_is_said(mounts: PodMounts, volume: dict, message: str) -> None:
    with pytest.raises(ContainerConfigError, match=message):
        mounts.materialize(pod(volume))


def test_an_optional_config_map_may_be_absent(mounts: PodMounts) -> None:
    mounts.materialize(pod({"configMap": {"name": "absent", "optional": True}}))
    assert list((mounts.root / "trivium/v0").iterdir()) == []


def test_materializing_twice_replaces_what_was_there(mounts: PodMounts) -> None:
    mounts.materialize(pod({"configMap": {"name": "config"}}))
    mounts.materialize(pod({"configMap": {"name": "config"}}))
    assert (mounts.root / "trivium/v0/run.json").exists()


def test_values_that_name_mounts_are_translated_and_scratch_folders_are_dropped(mounts: PodMounts) -> None:
    spec = pod({"persistentVolumeClaim": {"claimName": "cache"}}, {"emptyDir": {}})
    mounts.materialize(spec)
    assert mounts.translate(spec, "/trivium/v0/hub") == str(mounts.root / "trivium/v0/hub")
    assert mounts.translate(spec, "/trivium/v1/home") is None
    assert mounts.translate(spec, "/trivium/v01") == "/trivium/v01"
    assert mounts.translate(spec, "0.5") == "0.5"
