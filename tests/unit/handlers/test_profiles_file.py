"""ComputeProfiles from a file: read as the API server would return them, and refused with place and rule."""

from pathlib import Path

import pytest

from trivium.handlers.profiles_file import ProfilesFileError, read_profiles

CPU = Path(__file__).parents[3] / "examples" / "compute-profiles" / "cpu.yaml"


def test_a_profile_is_as_the_api_server_would_return_it() -> None:
    (profile,) = read_profiles(CPU)
    assert (profile["kind"], profile["metadata"]["name"]) == ("ComputeProfile", "cpu")
    assert profile["metadata"]["uid"]
    assert profile["metadata"]["resourceVersion"]


def test_a_changed_profile_is_another_version(tmp_path: Path) -> None:
    changed = tmp_path / "profiles.yaml"
    changed.write_text(CPU.read_text().replace("memory: 32Gi", "memory: 64Gi"))
    versions = {read_profiles(path)[0]["metadata"]["resourceVersion"] for path in (CPU, changed)}
    assert len(versions) == 2


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("kind: [", "no valid YAML"),
        (CPU.read_text().replace("rayVersion: 2.60.0", "rayVersion: newest"), "rayVersion"),
        ((CPU.parents[1] / "three-stages" / "pretrain.yaml").read_text(), "only ComputeProfile belongs here"),
    ],
)
def test_what_cannot_be_used_is_refused(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "profiles.yaml"
    file.write_text(text)
    with pytest.raises(ProfilesFileError, match=words):
        read_profiles(file)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ProfilesFileError, match=r"absent\.yaml"):
        read_profiles(tmp_path / "absent.yaml")
