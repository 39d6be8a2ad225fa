"""Checkpoint folders without an engine: what counts, what is swept, what is kept, when one is due."""

import pytest

from trivium_trainer.checkpoint.inventory import (
    apply_retention,
    find_newest_sound,
    list_complete,
    read_skips,
    set_abandoned_aside,
    standing_steps,
    sweep_incomplete,
)
from trivium_trainer.checkpoint.marker import Marker, digest_file, read_marker, write_marker
from trivium_trainer.checkpoint.policy import save_policy
from trivium_trainer.checkpoint.rollback import skips_in_force, stands
from trivium_trainer.config import Checkpoints, SkipWindow


def checkpoint(root, step, *, complete=True, skips=()):
    folder = root / f"step-{step:08d}"
    (folder / "state").mkdir(parents=True)
    (folder / "state" / "shard.pt").write_bytes(b"weights of %d" % step)
    if complete:
        files = [digest_file(folder, folder / "state" / "shard.pt")]
        write_marker(folder, marker(step, files, skips))
    return folder


def marker(step, files=(), skips=()):
    return Marker(
        step=step,
        tokens=step * 10,
        world_size=1,
        zero_stage=2,
        global_batch_size=8,
        micro_batch_size=8,
        data_digest="d",
        model_digest="m",
        skips=list(skips),
        files=list(files),
    )


def test_a_folder_without_a_marker_is_swept_and_nothing_else_is(tmp_path):
    checkpoint(tmp_path, 4)
    half = checkpoint(tmp_path, 8, complete=False)
    (tmp_path / "notes").mkdir()
    assert sweep_incomplete(tmp_path) == [half]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["notes", "step-00000004"]


def test_a_torn_marker_is_no_marker(tmp_path):
    folder = checkpoint(tmp_path, 4)
    (folder / "marker.json").write_text((folder / "marker.json").read_text()[:-20])
    assert read_marker(folder) is None
    assert list_complete(tmp_path) == []


def test_a_marker_comes_back_as_it_was_written(tmp_path):
    folder = checkpoint(tmp_path, 4)
    assert read_marker(folder) == marker(4, [digest_file(folder, folder / "state" / "shard.pt")])


@pytest.mark.parametrize(
    ("damage", "want"),
    [
        (lambda shard: shard.write_bytes(b"weights of "), "state/shard.pt has 11 bytes instead of 12"),
        (lambda shard: shard.write_bytes(b"weights of 9"), "state/shard.pt has changed"),
        (lambda shard: shard.unlink(), "state/shard.pt is missing"),
    ],
)
def test_a_damaged_checkpoint_is_set_aside_with_the_reason(tmp_path, damage, want):
    checkpoint(tmp_path, 4)
    damage(checkpoint(tmp_path, 8) / "state" / "shard.pt")
    newest, problems = find_newest_sound(tmp_path)
    assert newest.marker.step == 4
    assert problems == [f"step-00000008: {want}"]
    assert (tmp_path / "damaged-step-00000008").is_dir()


def test_no_checkpoint_is_found_where_there_is_none(tmp_path):
    assert find_newest_sound(tmp_path / "absent") == (None, [])


def test_the_newest_are_kept_and_damaged_ones_go(tmp_path):
    for step in (4, 8, 12):
        checkpoint(tmp_path, step)
    (tmp_path / "damaged-step-00000002").mkdir()
    apply_retention(tmp_path, keep=2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step-00000008", "step-00000012"]


def test_a_checkpoint_is_due_at_its_steps_and_at_the_end():
    policy = save_policy(Checkpoints(every_steps=30), total_steps=100)
    assert [step for step in range(1, 101) if policy.is_due(step, overdue=False)] == [30, 60, 90, 100]
    assert policy.is_due(31, overdue=True)
    assert not policy.is_overdue(1e9)


def test_a_checkpoint_is_due_by_the_clock():
    policy = save_policy(Checkpoints(every_minutes=2), total_steps=100)
    assert (policy.is_overdue(119.9), policy.is_overdue(120.0)) == (False, True)
    assert [step for step in range(1, 101) if policy.is_due(step, overdue=False)] == [100]


def test_by_default_a_tenth_of_the_run_or_fifteen_minutes():
    policy = save_policy(Checkpoints(), total_steps=50)
    assert (policy.every_steps, policy.every_seconds) == (5, 900)
    assert save_policy(Checkpoints(), total_steps=3).every_steps == 1


FIRST = SkipWindow(data_step=41, steps=10, rollback_to=40)
SECOND = SkipWindow(data_step=56, steps=5, rollback_to=45)
EARLIER = SkipWindow(data_step=31, steps=3, rollback_to=30)


@pytest.mark.parametrize(
    ("step", "trained_with", "told", "want"),
    [
        (50, [], [], True),
        (50, [], [FIRST], False),
        (40, [], [FIRST], True),
        (50, [FIRST], [FIRST], True),
        (50, [FIRST], [FIRST, SECOND], False),
        (45, [FIRST], [FIRST, SECOND], True),
        (45, [], [FIRST, SECOND], False),
        (40, [], [FIRST, SECOND], True),
        (40, [], [FIRST, EARLIER], False),
        (50, [SECOND], [FIRST], False),
    ],
)
def test_a_checkpoint_stands_if_it_knew_the_skipped_data_or_lies_before_the_rollback(step, trained_with, told, want):
    assert stands(marker(step, skips=trained_with), told) is want


def test_an_adopted_run_keeps_the_windows_that_its_newest_checkpoint_was_trained_with():
    newest = [marker(60, skips=[FIRST]), marker(40)]
    assert skips_in_force(newest, []) == (FIRST,)
    assert skips_in_force(newest, [FIRST]) == (FIRST,)
    # Rolled back behind the first window's checkpoint: what stands was trained without it, and so is what follows.
    assert skips_in_force(newest, [EARLIER]) == (EARLIER,)
    assert skips_in_force([], [SECOND, FIRST]) == (FIRST, SECOND)


def test_checkpoints_of_an_abandoned_course_are_set_aside_until_the_next_save(tmp_path):
    for step in (30, 40, 50):
        checkpoint(tmp_path, step)
    assert standing_steps(tmp_path, []) == [30, 40, 50]
    assert standing_steps(tmp_path, [FIRST]) == [30, 40]
    for _ in range(2):  # an attempt that ended before its first save is followed by another
        checkpoint(tmp_path, 60)
        set_abandoned_aside(tmp_path, read_skips(tmp_path, [FIRST]))
        assert find_newest_sound(tmp_path)[0].marker.step == 40
    assert (tmp_path / "abandoned-step-00000050").is_dir()
    checkpoint(tmp_path, 50, skips=[FIRST])
    apply_retention(tmp_path, keep=2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step-00000040", "step-00000050"]
    assert set_abandoned_aside(tmp_path, [FIRST]) == []
    assert standing_steps(tmp_path / "absent", [FIRST]) == []
