"""The way of a job, station by station: the first that stops it is the answer. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from trivium.cli.why.cause import Cause, Check
from trivium.cli.why.facts import Facts
from trivium.cli.why.judge_job import (
    judge_end,
    judge_pause,
    judge_plan,
    judge_running,
    judge_spec,
    judge_suspension,
    judge_upstream,
)
from trivium.cli.why.judge_operator import judge_operator
from trivium.cli.why.judge_pods import judge_pods, judge_reports, judge_start
from trivium.cli.why.judge_queue import judge_queue
from trivium.cli.why.judge_ray import judge_cluster, judge_creation, judge_ray_job

_Judge = Callable[[Facts], Cause | None]

_STATIONS: tuple[tuple[str, tuple[_Judge, ...]], ...] = (
    ("operator", (judge_operator,)),
    ("spec", (judge_spec,)),
    ("suspension", (judge_suspension,)),
    ("upstream", (judge_upstream,)),
    ("plan", (judge_plan,)),
    ("pause", (judge_pause,)),
    ("creation", (judge_creation,)),
    ("queue", (judge_queue,)),
    ("KubeRay", (judge_ray_job, judge_cluster)),
    ("pods", (judge_pods,)),
    ("reports", (judge_reports,)),
)
"""In the order in which a job passes them; the names are shown."""
_OF_AN_ATTEMPT = frozenset({"creation", "queue", "KubeRay", "pods", "reports"})
"""Nothing to judge before there is one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Why, and how far the job has come."""

    cause: Cause
    checks: Sequence[Check] = ()
    """Empty for a job that is over."""


def find_cause(facts: Facts) -> Answer:
    """Total: a job that nothing stops is running, starting, or about to be looked at."""
    ended = judge_end(facts)
    if ended is not None:
        return Answer(cause=ended)
    running = judge_running(facts)
    if running is not None:
        absent = judge_operator(facts)
        if absent is None or absent.code != "OperatorAbsent":
            return Answer(cause=running)
    return _walk(facts, otherwise=judge_start(facts) or _fresh(facts))


def _walk(facts: Facts, *, otherwise: Cause) -> Answer:
    checks: list[Check] = []
    cause: Cause | None = None
    for name, judges in _STATIONS:
        if cause is not None or (name in _OF_AN_ATTEMPT and facts.attempt is None):
            checks.append(Check(name=name, state="not reached"))
            continue
        cause = next((found for judge in judges if (found := judge(facts)) is not None), None)
        checks.append(_check(facts, name, cause))
    return Answer(cause=cause or otherwise, checks=checks)


def _check(facts: Facts, name: str, cause: Cause | None) -> Check:
    if cause is not None:
        return Check(name=name, state="stopped", note=cause.code)
    unread = {
        "creation": facts.ray_job,
        "queue": facts.workload,
        "KubeRay": facts.ray_job,
        "pods": facts.pods,
    }.get(name)
    if unread is not None and not unread.readable:
        return Check(name=name, state="unknown", note="you may not read it")
    return Check(name=name, state="passed")


def _fresh(facts: Facts) -> Cause:
    return Cause(
        code="Pending",
        says=facts.status.get("message") or "The operator is about to look at it.",
        remedy="Ask again in a moment.",
        who="nobody",
        commands=(facts.kubectl_trivium("why"),),
    )
