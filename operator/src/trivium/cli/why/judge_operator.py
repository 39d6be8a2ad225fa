"""Is there an operator, and has it looked at this spec? Pure."""

from collections.abc import Sequence

from trivium.cli import figures
from trivium.cli.why.cause import Cause
from trivium.cli.why.facts import Facts
from trivium.ports import Manifest

LEASE_NAME = "trivium-operator"
_PATIENCE_SECONDS = 30.0
"""A pass takes less than a second; a change of the leader takes fifteen."""


def judge_operator(facts: Facts) -> Cause | None:
    """Nothing moves without it, whatever else is in the way."""
    leases = facts.leases.objects
    if leases and not any(_is_alive(facts, lease) for lease in leases):
        return _absent(facts, leases)
    if not _is_behind(facts):
        return None
    if facts.leases.surely_absent:
        return Cause(
            code="OperatorNotInstalled",
            says="No operator has looked at this job, and there is no Lease of one on the cluster.",
            remedy="Install Trivium's operator; its chart creates the Lease.",
            who="platform",
            commands=(facts.kubectl("get pods -A -l app.kubernetes.io/name=trivium", scoped=False),),
        )
    return _silent(facts)


def _is_behind(facts: Facts) -> bool:
    metadata = facts.job["metadata"]
    behind = int(facts.status.get("observedGeneration") or 0) < int(metadata.get("generation") or 0)
    if not behind:
        return False
    # Nobody writes down when a spec was changed but its field managers; of a new job the creation is that time.
    times = [one["time"] for one in metadata.get("managedFields") or () if not one.get("subresource") and "time" in one]
    return facts.seconds_since(max([*times, metadata["creationTimestamp"]])) > _PATIENCE_SECONDS


def _is_alive(facts: Facts, lease: Manifest) -> bool:
    spec = lease.get("spec") or {}
    patience = 2 * int(spec.get("leaseDurationSeconds") or 15)
    return bool(spec.get("holderIdentity")) and facts.seconds_since(spec.get("renewTime")) <= patience


def _absent(facts: Facts, leases: Sequence[Manifest]) -> Cause:
    lease = max(leases, key=lambda one: str((one.get("spec") or {}).get("renewTime") or ""))
    spec, namespace = lease.get("spec") or {}, str(lease["metadata"]["namespace"])
    renewed = spec.get("renewTime")
    since = f"for {figures.age(facts.seconds_since(renewed))}" if renewed else "ever"
    return Cause(
        code="OperatorAbsent",
        says=f"No operator is at work: its Lease {namespace}/{lease['metadata']['name']} was not renewed {since}.",
        remedy="Bring the operator's pods up; jobs that run go on meanwhile, and nothing is lost.",
        who="platform",
        commands=(
            facts.kubectl("get pods -l app.kubernetes.io/name=trivium", namespace=namespace),
            facts.kubectl("logs -l app.kubernetes.io/name=trivium --tail 50", namespace=namespace),
        ),
    )


def _silent(facts: Facts) -> Cause:
    seen = "this change of the spec" if facts.status else "this job"
    lease = "" if facts.leases.readable else " You may not read its Lease, so whether it is up is not known."
    return Cause(
        code="OperatorSilent",
        says=f"The operator has not looked at {seen} yet.{lease}",
        remedy="Ask the platform team whether Trivium's operator is up and watches this namespace.",
        who="platform",
        commands=(facts.kubectl(f"get leases -A --field-selector metadata.name={LEASE_NAME}", scoped=False),),
    )
