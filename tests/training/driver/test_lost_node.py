"""A run of two nodes loses one and goes on with one rank, without waiting for the other until its start times out.

Real Ray with two nodes on this machine (ray.cluster_utils): once with a drain, reason preemption, as an autoscaler or a
pod's hook announces it, and once without a word. Guards what the trainer takes from Ray 2.60's insides: the controller's
states, the drain's news in a rank's process, elastic worker groups and their policy.
"""

import subprocess
import sys
import threading

import pytest

pytestmark = pytest.mark.slow

TWO_NODES = """
import sys, time, ray
from ray.cluster_utils import Cluster
from ray.core.generated import autoscaler_pb2
# A temp_dir of its own: the default one holds the address of whatever cluster this machine runs besides.
head = {"num_cpus": 1, "include_dashboard": False, "object_store_memory": 80 << 20, "temp_dir": sys.argv[1]}
cluster = Cluster(initialize_head=True, head_node_args=head)
other = cluster.add_node(num_cpus=1, object_store_memory=80 << 20)
cluster.wait_for_nodes()
print(cluster.address, flush=True)
for word in sys.stdin:
    if word == "drain\\n":
        reason = autoscaler_pb2.DrainNodeReason.Value("DRAIN_NODE_REASON_PREEMPTION")
        deadline = (time.time_ns() // 10**6) + 20_000
        assert ray._raylet.GcsClient(address=cluster.address).drain_node(other.node_id, reason, "spot", deadline)[0]
    if word == "remove\\n":
        cluster.remove_node(other, allow_graceful=False)
cluster.shutdown()
"""

ELASTIC = {
    "workers": 2,
    "minWorkers": 1,
    "cpusPerRank": 1,
    "sizes": [
        {"worldSize": 1, "microBatchSize": 2, "gradientAccumulation": 1},
        {"worldSize": 2, "microBatchSize": 1, "gradientAccumulation": 1},
    ],
    "workerStartTimeoutSeconds": 600,
}


@pytest.fixture
def two_nodes(tmp_path, temp_dir, driver_variables):
    process = subprocess.Popen(
        [sys.executable, "-c", TWO_NODES, str(temp_dir / "two")],
        env=driver_variables(tmp_path),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    yield process, process.stdout.readline().strip()
    process.stdin.close()
    process.wait(timeout=60)
    process.stdout.close()


def tell(process, word):
    process.stdin.write(f"{word}\n")
    process.stdin.flush()


def wait_for(path, run):
    while not path.exists():
        assert run.process.poll() is None
        threading.Event().wait(0.2)


WATCHER = {"RAY_TRAIN_ENABLE_PREEMPTION_WATCHER": "1", "RAY_TRAIN_PREEMPTION_POLL_INTERVAL_S": "0.5"}


def test_a_run_that_loses_a_drained_node_saves_and_goes_on_with_one_rank_for_free(
    two_nodes, tmp_path, run_config, start_driver, receiver
):
    cluster, address = two_nodes
    with receiver() as endpoint:  # its answers leave no restart
        config = run_config("drained", parallelism=ELASTIC, progress=endpoint.progress())
        run = start_driver(config, tmp_path, address=address, behavior="linger", settings=WATCHER)
        wait_for(run.stage.root / "lingering", run)
        tell(cluster, "drain")
        wait_for(run.stage.root / "saved", run)
        tell(cluster, "remove")
        code, record, log = run.wait()
    assert (code, record.outcome, record.step) == (0, "complete", 6), log
    (restart,) = run.ledger("restart")
    assert (restart["failure"]["class"], restart["failure"]["reason"]) == ("Preempted", "NodeReclaimed")
    assert [line["worldSize"] for line in run.report_lines("run")] == [2, 1]
    last = endpoint.reports[-1]
    assert (last["restarts"], last["preemptions"], last["worldSize"]) == (1, 1, 1)


def test_a_node_that_goes_without_a_word_costs_a_restart_and_the_run_goes_on_with_one_rank(
    two_nodes, tmp_path, run_config, start_driver, receiver
):
    cluster, address = two_nodes
    with receiver(answer=lambda report: (200, {"attempt": 1, "remainingRestarts": 1})) as endpoint:
        config = run_config("lost", parallelism=ELASTIC, progress=endpoint.progress())
        run = start_driver(config, tmp_path, address=address, behavior="linger")
        wait_for(run.stage.root / "lingering", run)
        tell(cluster, "remove")
        code, record, log = run.wait()
    assert (code, record.outcome) == (0, "complete"), log
    (restart,) = run.ledger("restart")
    assert restart["failure"]["class"] == "Infrastructure"
    assert [line["worldSize"] for line in run.report_lines("run")] == [2, 1]
    last = endpoint.reports[-1]
    assert (last["restarts"], last["preemptions"]) == (1, 0)
