"""The RayJob's fields that KubeRay's traps hang on."""

from trivium.render import name_of_run, render_attempt


def test_kuberay_neither_retries_nor_times_out_nor_scales(case, attempt_of):
    attempt = attempt_of(case)
    spec = render_attempt(attempt).ray_job["spec"]
    assert spec["backoffLimit"] == 0
    assert spec["shutdownAfterJobFinishes"] is True
    assert 0 < spec["ttlSecondsAfterFinished"] <= 60
    assert not {"activeDeadlineSeconds", "preRunningDeadlineSeconds", "deletionStrategy", "clusterSelector"} & set(spec)
    cluster = spec["rayClusterSpec"]
    assert cluster["enableInTreeAutoscaling"] is False
    (group,) = cluster["workerGroupSpecs"]
    assert group["replicas"] == group["minReplicas"] == group["maxReplicas"] == attempt.plan.workers
    assert group["groupName"] not in {"head", "submitter"}


def test_ray_asks_for_a_token(case, attempt_of):
    assert render_attempt(attempt_of(case)).ray_job["spec"]["rayClusterSpec"]["authOptions"] == {"mode": "token"}


def test_what_kuberay_1_6_would_prune_or_refuse_is_absent(case, attempt_of):
    cluster = render_attempt(attempt_of(case)).ray_job["spec"]["rayClusterSpec"]
    assert not {"networkPolicy", "tlsOptions", "historyServerOptions", "upgradeStrategy"} & set(cluster)


def test_every_pod_carries_the_labels_that_kuberay_does_not_copy(case, attempt_of):
    attempt = attempt_of(case)
    job = render_attempt(attempt).ray_job
    cluster = job["spec"]["rayClusterSpec"]
    templates = [
        job["spec"]["submitterPodTemplate"],
        cluster["headGroupSpec"]["template"],
        cluster["workerGroupSpecs"][0]["template"],
    ]
    for template in templates:
        assert template["metadata"]["labels"] == job["metadata"]["labels"]
    assert job["metadata"]["labels"]["trivium.dev/job-uid"] == attempt.job.metadata.uid


def test_an_attempt_keeps_the_image_of_its_plan(attempt_of):
    attempt = attempt_of("pretrain-train-cpu")
    assert attempt.profile.image != attempt.plan.image
    assert attempt.profile.image not in str(render_attempt(attempt).ray_job)


def test_a_job_with_a_queue_is_born_suspended_and_labelled_for_kueue_on_the_ray_job_alone(attempt_of):
    free = render_attempt(attempt_of("sft-lora-train-gpu")).ray_job
    assert free["spec"]["suspend"] is False
    assert not any("kueue" in key for key in free["metadata"]["labels"])
    held = render_attempt(attempt_of("sft-lora-train-gpu", queue="team-a", priority="high")).ray_job
    assert held["spec"]["suspend"] is True
    assert held["metadata"]["labels"] == free["metadata"]["labels"] | {
        "kueue.x-k8s.io/queue-name": "team-a",
        "kueue.x-k8s.io/priority-class": "high",
    }
    assert held["spec"] == free["spec"] | {"suspend": True}


def test_a_priority_without_a_queue_means_nothing(attempt_of):
    free = render_attempt(attempt_of("pretrain-prepare", priority="high")).ray_job
    assert free == render_attempt(attempt_of("pretrain-prepare")).ray_job


def test_everything_but_the_shared_bundle_is_owned_by_the_job_and_named_after_the_run(case, attempt_of):
    attempt = attempt_of(case)
    children = render_attempt(attempt)
    want = name_of_run(attempt.job, stage=attempt.stage, number=attempt.run_number)
    for child in (children.ray_job, children.run_config, children.network_policy):
        assert child["metadata"]["name"] == want
        (owner,) = child["metadata"]["ownerReferences"]
        assert (owner["uid"], owner["controller"]) == (attempt.job.metadata.uid, True)
    if children.ca_bundle is not None:
        assert "ownerReferences" not in children.ca_bundle["metadata"]


def test_the_order_of_creation_ends_with_the_ray_job(attempt_of):
    kinds = [one["kind"] for one in render_attempt(attempt_of("pretrain-prepare")).manifests()]
    assert kinds == ["ConfigMap", "ConfigMap", "NetworkPolicy", "RayJob"]


def test_the_network_policy_selects_this_attempts_pods_alone(attempt_of):
    one = render_attempt(attempt_of("pretrain-prepare"))
    other = render_attempt(attempt_of("pretrain-prepare", run_number=2))
    selector = one.network_policy["spec"]["podSelector"]["matchLabels"]
    labels = one.ray_job["spec"]["submitterPodTemplate"]["metadata"]["labels"]
    assert selector.items() <= labels.items()
    assert selector != other.network_policy["spec"]["podSelector"]["matchLabels"]


def _world(attempt):
    """Egress that is neither the attempt's pods, nor DNS, nor the operator."""
    rules = render_attempt(attempt).network_policy["spec"]["egress"]
    return [rule for rule in rules if "ports" in rule and {port["port"] for port in rule["ports"]} != {53}]


def test_pods_reach_https_and_no_more_unless_the_profile_says_where(attempt_of):
    assert _world(attempt_of("pretrain-prepare")) == [{"ports": [{"protocol": "TCP", "port": 443}]}]
    proxy, https = _world(attempt_of("sft-lora-train-gpu"))
    assert proxy == {"to": [{"ipBlock": {"cidr": "10.20.0.0/16"}}], "ports": [{"protocol": "TCP", "port": 3128}]}
    assert https == {"ports": [{"protocol": "TCP", "port": 443}]}


def test_without_a_progress_url_the_operator_is_not_reachable(attempt_of):
    with_url, without = attempt_of("pretrain-prepare"), attempt_of("pretrain-prepare", progress_url=None)
    name = {"app.kubernetes.io/name": "trivium"}
    assert str(name) in str(render_attempt(with_url).network_policy["spec"]["egress"])
    assert str(name) not in str(render_attempt(without).network_policy)
