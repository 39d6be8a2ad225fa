"""Names of children: within KubeRay's limit, DNS-1035, and different for every attempt of every job."""

import re

from hypothesis import assume, given
from hypothesis import strategies as st

from trivium.render.names import attempt_labels, attempt_of, child_name, label_value, token_audience

LABEL = r"[a-z0-9]([-a-z0-9]{0,20}[a-z0-9])?"
JOB_NAMES = st.from_regex(rf"\A{LABEL}(\.{LABEL}){{0,8}}\Z").filter(lambda name: len(name) <= 253)
ATTEMPTS = st.fixed_dictionaries(
    {
        "kind": st.sampled_from(["PretrainJob", "SFTJob", "PreferenceJob"]),
        "name": JOB_NAMES,
        "stage": st.sampled_from(["prepare", "train"]),
        "run": st.integers(1, 99_999),
    }
)


@given(ATTEMPTS)
def test_a_name_is_a_dns_1035_label_within_kuberays_limit(attempt):
    name = child_name(**attempt)
    assert len(name) <= 47
    assert re.fullmatch(r"[a-z]([-a-z0-9]*[a-z0-9])?", name)


@given(ATTEMPTS, ATTEMPTS)
def test_different_attempts_have_different_names(one, other):
    assume(one != other)
    assert child_name(**one) != child_name(**other)


@given(ATTEMPTS)
def test_the_name_ends_in_kind_stage_and_run(attempt):
    short = {"PretrainJob": "pretrain", "SFTJob": "sft", "PreferenceJob": "preference"}[attempt["kind"]]
    assert child_name(**attempt).endswith(f"-{short}-{attempt['stage']}-{attempt['run']}")


def test_names_that_would_be_spelled_alike_get_a_hash():
    names = {child_name(kind="SFTJob", name=name, stage="train", run=1) for name in ("a.b", "a-b", "1a", "j1a")}
    assert len(names) == 4
    assert "a-b-sft-train-1" in names
    assert "j1a-sft-train-1" in names


def test_a_job_called_like_anothers_child_collides_with_nothing():
    first = child_name(kind="SFTJob", name="a", stage="train", run=1)
    assert child_name(kind="SFTJob", name=first, stage="train", run=1) != first


@given(ATTEMPTS)
def test_labels_are_valid_and_lead_back_to_the_attempt(attempt):
    labels = attempt_labels(**attempt, uid="0a0a0a0a-0000-4000-8000-000000000001")
    for value in labels.values():
        assert re.fullmatch(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?", value)
    assert attempt_of(labels) == (attempt["stage"], attempt["run"])


def test_labels_of_others_lead_nowhere():
    assert attempt_of({}) is None
    assert attempt_of({"trivium.dev/stage": "train", "trivium.dev/run": "x"}) is None


def test_long_job_names_stay_apart_as_labels():
    one, other = label_value("a" * 200 + "b"), label_value("a" * 200 + "c")
    assert one != other
    assert len(one) <= 63


def test_the_audience_names_the_one_job():
    assert token_audience("u1") == "trivium.dev/u1"
