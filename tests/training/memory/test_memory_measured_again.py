"""Some of the kept measurements, made again: the trainer's engine still holds what the planner's page says.

Covered: one case of each ZeRO stage, an adapter, checkpointing, DPO, two processes, a model as shapes, resident memory.
The rest is measured by `python -m benchmarks.memory`.
"""

import pytest
from benchmarks.memory import fake, process_group, resident, store
from benchmarks.memory.errors import GOAL, errors_of
from benchmarks.memory.store import Measurement

pytestmark = pytest.mark.slow

KEPT = store.load()
SAME = 0.01
"""Bytes of tensors repeat; an error message's worth of them may not."""


def _kept(kind, *names, world_size=1):
    found = [
        one
        for one in KEPT
        if one.kind == kind and one.case.world_size == world_size and (not names or one.case.name in names)
    ]
    assert len(found) == len(names) or not names
    return found


def _assert_as_kept(kept, windows):
    for name, window in kept.windows.items():
        assert windows[name]["peak"] == pytest.approx(window["peak"], rel=SAME), (kept.case.name, name)
    for error in errors_of(Measurement(kind=kept.kind, case=kept.case, windows=windows)):
        for category, value in error.categories.items():
            assert GOAL[0] <= value <= GOAL[1], f"{kept.case.name}: {category} {value:+.1%}"


@pytest.mark.parametrize(
    ("world_size", "names"),
    [
        (1, ["checkpointing, small vocabulary", "LoRA, ZeRO-2", "DPO, ZeRO-2"]),
        (2, ["plain", "ZeRO-1", "ZeRO-3"]),
    ],
)
def test_the_engine_holds_what_it_held(world_size, names):
    kept = _kept("engine", *names, world_size=world_size)
    for one, reports in zip(kept, process_group.measure([one.case for one in kept]), strict=True):
        windows = {name: max((rank[name] for rank in reports), key=lambda seen: seen["peak"]) for name in reports[0]}
        _assert_as_kept(one, windows)


def test_a_published_model_holds_what_it_held_as_shapes():
    kept = next(one for one in _kept("shapes") if one.case.model == "qwen3-0.6b")
    _assert_as_kept(kept, fake.measure(kept.case))


def test_resident_memory_follows_the_tensors():
    kept = next(one for one in _kept("resident") if one.case.checkpointing)
    windows = resident.measure(kept.case)
    (error,) = errors_of(Measurement(kind="resident", case=kept.case, windows=windows))
    assert GOAL[0] <= error.total <= GOAL[1]
