"""How people call jobs."""

import pytest

from trivium.cli.errors import CommandError
from trivium.cli.exit_codes import ExitCode
from trivium.cli.job_address import address_of, find_job


@pytest.mark.parametrize("address", ["sft/a", "SFTJob/a", "sftjob/a", "sftjobs/a", "SFT/a"])
def test_every_spelling_of_kubectl_is_understood(make, address: str) -> None:
    jobs = [make.job("PretrainJob", "a"), make.sft_job("a"), make.sft_job("a", namespace="other")]
    assert find_job(address, jobs, namespace="default") is jobs[1]


def test_a_bare_name_is_enough_where_it_is_unique(make) -> None:
    jobs = [make.job("PretrainJob", "base"), make.sft_job("a")]
    assert find_job("base", jobs, namespace="default") is jobs[0]


def test_a_name_of_two_jobs_asks_which(make) -> None:
    jobs = [make.job("PretrainJob", "a"), make.sft_job("a")]
    with pytest.raises(CommandError, match=r"a: 2 jobs have this name. Say which: pretrain/a, sft/a\.") as error:
        find_job("a", jobs, namespace="default")
    assert error.value.code == ExitCode.USAGE


def test_an_unknown_job_is_answered_with_those_that_are_there(make) -> None:
    with pytest.raises(CommandError, match=r"sft/b: no such job in namespace default. There are sft/a\.") as error:
        find_job("sft/b", [make.sft_job("a")], namespace="default")
    assert error.value.code == ExitCode.NOT_FOUND


def test_an_unknown_kind_is_answered_with_the_known_ones(make) -> None:
    with pytest.raises(CommandError, match=r"pod is no kind of job. Use one of pretrain, sft, preference\."):
        find_job("pod/a", [make.sft_job("a")], namespace="default")


def test_the_address_that_is_shown_is_one_that_is_understood(make) -> None:
    for kind in ("PretrainJob", "SFTJob", "PreferenceJob"):
        job = make.job(kind, "x")
        assert find_job(address_of(job), [job], namespace="default") is job
