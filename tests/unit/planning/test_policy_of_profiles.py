"""What a profile does not allow is refused with the field, the value and the way out, word for word."""

import pytest

from trivium.api.plan_status import StoragePlan
from trivium.planning.policy import check_policy, resolve_runs
from trivium.planning.refusal import PlanError

HUB = {"hub": {"repo": "some/chat"}}
COPY = "Copy it into a claim and use volume, or ask the platform team for policy.uriSchemes."


def _refusal(action):
    with pytest.raises(PlanError) as refused:
        action()
    return refused.value.refusal.message


def _uri(place):
    return {"from": {"uri": place}}


@pytest.mark.parametrize(
    ("kind", "changes", "schemes", "want"),
    [
        (
            "SFTJob",
            {"model": {"from": {"hub": None, "uri": "s3://models/a://b"}}},
            ["gs", "https"],
            f"spec.model.from.uri: s3:// is not among the schemes of profile h100, which allows only gs, https. {COPY}",
        ),
        (
            "PretrainJob",
            {"model": {"tokenizer": {"train": None, "from": {"uri": "s3://tokenizers/a"}}}},
            [],
            "spec.model.tokenizer.from.uri: s3:// is not among the schemes of profile h100, which allows no uri at all. "
            + COPY,
        ),
        (
            "SFTJob",
            {"data": {"train": [{"from": HUB}, _uri("gs://data/a")]}},
            ["s3"],
            "spec.data.train[1].from.uri: gs:// is not among the schemes of profile h100, which allows only s3. "
            + COPY,
        ),
        (
            "SFTJob",
            {"data": {"evaluation": [{"name": "held", **_uri("gs://data/a")}]}},
            ["s3"],
            "spec.data.evaluation[0].from.uri: gs:// is not among the schemes of profile h100, which allows only s3. "
            + COPY,
        ),
    ],
)
def test_a_place_on_the_network_needs_its_scheme(make_job, make_profile, kind, changes, schemes, want):
    job, profile = make_job(kind, **changes), make_profile("h100", policy={"uriSchemes": schemes})
    assert _refusal(lambda: check_policy(job, profile=profile)) == want


def test_a_scheme_that_is_named_is_allowed(make_job, make_profile):
    job = make_job("SFTJob", model={"from": {"hub": None, "uri": "s3://models/a"}})
    check_policy(job, profile=make_profile("h100", policy={"uriSchemes": ["s3"]}))


def test_code_of_model_repositories_needs_the_platforms_consent(make_job, make_profile):
    job = make_job("SFTJob", model={"trustRemoteCode": True})
    assert _refusal(lambda: check_policy(job, profile=make_profile("h100"))) == (
        "spec.model.trustRemoteCode: true, but profile h100 does not run code from model repositories. "
        "Set trustRemoteCode: false, or ask the platform team for policy.trustRemoteCode."
    )
    check_policy(job, profile=make_profile("h100", policy={"trustRemoteCode": True}))


def test_nf4_needs_bitsandbytes_in_the_image(make_job, make_profile):
    job = make_job("SFTJob", adapter={"lora": {"rank": 8}, "quantization": "nf4"})
    check_policy(job, profile=make_profile("h100"))
    assert _refusal(lambda: check_policy(job, profile=make_profile("h100", features=["liger"]))) == (
        "spec.adapter.quantization: nf4 needs bitsandbytes, which the image of profile h100 lacks. "
        "Set quantization: none, or choose another profile."
    )


def test_the_claim_of_the_runs_is_the_jobs_before_the_profiles(make_job, make_profile):
    profile = make_profile("cpu", storage={"runs": {"claimName": "shared", "path": "trivium"}})
    own = make_job("SFTJob", storage={"runs": {"volume": {"claimName": "mine", "path": "here"}}})
    assert resolve_runs(own, profile=profile) == StoragePlan(claim_name="mine", path="here")
    assert resolve_runs(make_job("SFTJob"), profile=profile) == StoragePlan(claim_name="shared", path="trivium")


def test_without_any_claim_the_job_is_asked_for_one(make_job, make_profile):
    assert _refusal(lambda: resolve_runs(make_job("SFTJob"), profile=make_profile("cpu", storage=None))) == (
        "spec.storage.runs: absent, and profile cpu names no claim either. "
        "Add storage: {runs: {volume: {claimName: <a ReadWriteMany claim>}}}."
    )
