"""A script for every seed. The first fault of seed n is cell n of the table (phase × fault), so that no cell stays empty;
what else happens, and in which world, is chance.
"""

from random import Random

from simulator.faults import CATALOG, possible, quota
from simulator.script import PHASES, Job, Script, Strike

KINDS = ("PretrainJob", "SFTJob", "PreferenceJob")
SUSPEND, RESUME, FAIL = "the user suspends", "the user resumes", "the trainer fails: UserError"
CELLS = tuple((phase, name) for name in CATALOG for phase in PHASES if possible(phase, name))
MAX_MORE_STRIKES = 3
QUEUED = frozenset({"Kueue evicts", *quota.FAULTS})
"""Faults that find nothing to strike where nothing is queued."""


def write_script(seed: int) -> Script:
    """The same script for the same seed, for ever: add faults at the end of the catalog."""
    random = Random(seed)
    phase, name = CELLS[seed % len(CELLS)]
    jobs, strikes = _world_with(phase, random)
    last = len(jobs) - 1
    strikes = [*strikes, _strike(name, phase, last, random)]
    reachable = ["Pending", "Preparing", "Starting", "Running", "Restarting", "Succeeded", phase]
    for _ in range(random.choices(range(MAX_MORE_STRIKES + 1), weights=[3, 4, 2, 1])[0]):
        where = random.choice(reachable)
        what = random.choice([one for one in CATALOG if possible(where, one)])
        strikes.append(_strike(what, where, random.randrange(len(jobs)), random))
    skewed = random.random() < 0.2
    in_queue = phase == "Queued" or name in QUEUED or random.random() < 0.1
    return Script(
        seed=seed,
        jobs=tuple(jobs),
        strikes=tuple(strikes),
        kuberay=random.choice(["1.6", "1.7"]),
        default_queue=in_queue,
        profile_queue="default" if in_queue and random.random() < 0.5 else None,
        replicas=random.choices([1, 2], weights=[2, 1])[0],
        skews=(random.choice([0.0, 3600.0]), random.choice([0.0, -3600.0])) if skewed else (0.0, 0.0),
        bad_data=(random.randint(1, 30),) if random.random() < 0.05 else (),
    )


def _world_with(phase: str, random: Random) -> tuple[list[Job], list[Strike]]:
    """Jobs, and what has to happen to the last of them, so that it comes into the phase."""
    plain = Job(kind=random.choice(KINDS), steps=random.choice([20, 30]), workers=random.choice([1, 1, 2]))
    moment = Strike(fault=SUSPEND, phase="Running", after=float(random.randint(0, 60)))
    match phase:
        case "Waiting":
            return [plain, Job(kind="PreferenceJob", steps=20, upstream=0)], []
        case "Suspending" | "Suspended":
            again = Strike(fault=RESUME, phase="Suspended", after=float(random.randint(1, 60)))
            return [plain], [moment, again][: random.randint(1, 2)]
        case "Restarting":
            return [plain], [Strike(fault="the trainer fails: Infrastructure", phase="Running", after=30.0)]
        case "Failed":
            return [plain], [Strike(fault=FAIL, phase="Running", after=20.0)]
        case _:
            return [plain], []


def _strike(name: str, phase: str, job: int, random: Random) -> Strike:
    usual = CATALOG[name].amount
    amount = float(round(usual * random.choice([0.3, 1, 1, 3]))) if usual else float(random.choice([0, 0, 1, 2]))
    after = random.choice([0.0, 0.1, 0.5, 1.0, 3.0, 10.0, 30.0, float(random.randint(0, 150))])
    return Strike(fault=name, phase=phase, job=job, after=after, amount=amount)
