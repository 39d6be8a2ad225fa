"""The idle jobs of the operator's benchmark: they are truly idle, and what is measured of them grows with nothing."""

from benchmarks.sides.idle_jobs import NAMESPACE, Seed, copies, measure

from trivium.store import Store


async def test_the_copies_are_jobs_in_the_middle_of_training_with_names_and_uids_of_their_own():
    seed = Seed()
    await seed.grow()
    store = Store()
    for kind, manifests in copies(seed.manifests(), 3).items():
        store.replace(kind, manifests)
    jobs = store.of_kind("SFTJob")
    assert [job["metadata"]["namespace"] for job in jobs] == [NAMESPACE] * 3
    assert {job["status"]["phase"] for job in jobs} == {"Running"}
    uids = {job["metadata"]["uid"] for job in jobs}
    assert len(uids) == 3
    assert [len(store.owned_by(uid, "RayJob")) for uid in sorted(uids)] == [1, 1, 1]


async def test_a_pass_over_them_writes_nothing_and_its_figures_are_plausible():
    figures = await measure({"jobs": 3, "passes": 5})
    assert 0 < figures["passSeconds"] < 1
    assert 1_000 < figures["bytesPerJob"] < 1_000_000
