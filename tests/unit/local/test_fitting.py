"""A job and a profile made to fit this machine, the global batch exact in every case."""

from hypothesis import given
from hypothesis import strategies as st

from trivium.api import parse_profile
from trivium.local.admission import admit
from trivium.local.fitting import fit_job, workers_that_fit
from trivium.local.local_profile import local_profiles
from trivium.local.machine import Machine, this_machine

GIBI = 1024**3
TWO_CORES = Machine(cores=2, memory_bytes=10 * GIBI)


def sft_job(name: str = "a", **spec) -> dict:
    data = {"train": [{"from": {"hub": {"repo": "a/b"}}}]}
    return {
        "apiVersion": "trivium.dev/v1alpha1",
        "kind": "SFTJob",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"model": {"from": {"hub": {"repo": "a/b"}}}, "data": data, **spec},
    }


def test_a_job_that_fits_is_left_alone() -> None:
    assert fit_job(sft_job(), TWO_CORES) == (sft_job(), ())


def test_workers_are_cut_to_the_cores_and_it_is_said() -> None:
    fitted, notes = fit_job(sft_job(compute={"workers": 8, "gpusPerWorker": 1}), TWO_CORES)
    assert fitted["spec"]["compute"] == {"workers": 2}
    assert notes == [
        "compute.gpusPerWorker is left out: this machine trains on its cores.",
        "compute.workers: 8 becomes 2 on 2 cores; globalBatchSize stays 32.",
    ]
    assert admit(None, fitted)["spec"]["optimization"]["globalBatchSize"] == 32


def test_a_minimum_above_what_is_left_goes_with_the_workers() -> None:
    fitted, notes = fit_job(sft_job(compute={"workers": 8, "minWorkers": 4}), TWO_CORES)
    assert fitted["spec"]["compute"] == {"workers": 2}
    assert notes[-1] == "compute.minWorkers is left out: on one machine there are no workers to lose."
    admit(None, fitted)


def test_an_elastic_job_that_fits_is_left_alone() -> None:
    elastic = sft_job(compute={"workers": 2, "minWorkers": 1})
    assert fit_job(elastic, TWO_CORES) == (elastic, ())


def test_nothing_waits_for_quota_on_one_machine() -> None:
    fitted, notes = fit_job(sft_job(compute={"queue": "team-a", "priority": "high"}), TWO_CORES)
    assert fitted["spec"]["compute"] == {}
    assert [note.split()[0] for note in notes] == ["compute.queue", "compute.priority"]


@given(
    wanted=st.integers(1, 64),
    cores=st.integers(1, 64),
    rounds=st.integers(1, 8),
    micro_batch=st.sampled_from([1, 2, 4]),
)
def test_whatever_is_cut_the_global_batch_still_divides(wanted: int, cores: int, rounds: int, micro_batch: int) -> None:
    global_batch = wanted * micro_batch * rounds
    workers = workers_that_fit(wanted=wanted, cores=cores, global_batch=global_batch, micro_batch=micro_batch)
    assert 1 <= workers <= min(wanted, max(cores, 1))
    assert global_batch % (workers * micro_batch) == 0


def test_every_profile_that_a_job_names_is_this_machine() -> None:
    jobs = [sft_job(compute={"profile": "h100", "workers": 2}), sft_job("b")]
    h100, local = local_profiles(jobs, TWO_CORES)
    assert (h100["metadata"]["name"], local["metadata"]["name"]) == ("h100", "local")
    assert (h100["spec"]["worker"], local["spec"]["worker"]) == (
        {"cpu": "1", "memory": "4096Mi"},  # 80 % of 10 GiB, halved
        {"cpu": "2", "memory": "8192Mi"},
    )
    assert [profile["spec"]["default"] for profile in (h100, local)] == [False, True]


def test_the_local_profile_is_a_valid_one() -> None:
    for profile in local_profiles([], this_machine()):
        assert parse_profile(admit(None, profile)).spec.gpu is None


def test_the_machine_has_cores_and_memory() -> None:
    machine = this_machine()
    assert machine.cores >= 1
    assert machine.memory_bytes > GIBI // 4
