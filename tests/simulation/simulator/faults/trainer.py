"""What befalls training, and what does not arrive of its reports."""

from collections.abc import Callable

from simulator.endings import Trouble
from simulator.faults.fault import TRAINER_PHASES, Apply, Faults
from simulator.trainer import Driver
from simulator.world import World

FAULTS = Faults()


def _named(failure_class: str, reason: str) -> Apply:
    def apply(world: World, job: int, amount: float) -> bool:
        driver = world.driver_of(job)
        if driver is not None:
            driver.strike(Trouble(failure_class, reason, named=True))
        return driver is not None

    return apply


for _class in ("UserError", "DataError", "OutOfMemory", "Infrastructure", "Internal", "NewClass"):
    FAULTS.add(f"the trainer fails: {_class}", only_in=TRAINER_PHASES)(_named(_class, "Broken"))


@FAULTS.add("a rank dies", only_in=TRAINER_PHASES)
def _rank_dies(world: World, job: int, amount: float) -> bool:
    driver = world.driver_of(job)
    if driver is not None:
        driver.strike(Trouble("Infrastructure", "WorkerDied", named=False))
    return driver is not None


@FAULTS.add("reports are lost", amount=60, harmless=True)
def _reports_lost(world: World, job: int, amount: float) -> bool:
    world.intake_down_until = world.loop.time() + amount
    return True


@FAULTS.add("training hangs", only_in=TRAINER_PHASES)
def _hang(world: World, job: int, amount: float) -> bool:
    return _with_driver(world, job, lambda driver: driver.hang(watchdog=True, mute=False))


@FAULTS.add("training hangs, and its watchdog with it", only_in=TRAINER_PHASES)
def _hang_unnoticed(world: World, job: int, amount: float) -> bool:
    return _with_driver(world, job, lambda driver: driver.hang(watchdog=False, mute=False))


@FAULTS.add("the trainer falls silent", only_in=TRAINER_PHASES)
def _silent(world: World, job: int, amount: float) -> bool:
    return _with_driver(world, job, lambda driver: driver.hang(watchdog=False, mute=True))


@FAULTS.add("somebody stops the Ray job", only_in=TRAINER_PHASES)
def _stop_job(world: World, job: int, amount: float) -> bool:
    return _with_driver(world, job, lambda driver: driver.stop_job())


def _with_driver(world: World, job: int, act: Callable[[Driver], None]) -> bool:
    driver = world.driver_of(job)
    if driver is not None:
        act(driver)
    return driver is not None
