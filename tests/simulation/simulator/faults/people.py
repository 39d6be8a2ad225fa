"""What users and the platform team do, and what the clock does to them all."""

from simulator.faults.fault import ATTEMPT_PHASES, Faults
from simulator.world import World
from trivium.store import key_of

FAULTS = Faults()


@FAULTS.add("the user suspends", harmless=True)
def _suspend(world: World, job: int, amount: float) -> bool:
    return world.edit(world.jobs[job], runPolicy={"suspend": True})


@FAULTS.add("the user resumes", harmless=True)
def _resume(world: World, job: int, amount: float) -> bool:
    return world.edit(world.jobs[job], runPolicy={"suspend": False})


@FAULTS.add("the job is deleted")
def _delete_job(world: World, job: int, amount: float) -> bool:
    there = world.server.get(world.jobs[job]) is not None
    world.server.delete(world.jobs[job])
    return there


@FAULTS.add("the user asks for two workers", harmless=True)
def _more_workers(world: World, job: int, amount: float) -> bool:
    return world.edit(world.jobs[job], compute={"workers": 2})


@FAULTS.add("children are damaged", only_in=ATTEMPT_PHASES, harmless=True)
def _damage(world: World, job: int, amount: float) -> bool:
    policies = world.server.all("NetworkPolicy")
    for policy in policies:
        world.server.update(key_of(policy), spec={**policy["spec"], "ingress": [{}]})
    return bool(policies)


@FAULTS.add("children are deleted", only_in=ATTEMPT_PHASES, harmless=True)
def _delete_children(world: World, job: int, amount: float) -> bool:
    children = [*world.server.all("NetworkPolicy"), *world.server.all("ConfigMap")]
    for child in children:
        world.server.delete(key_of(child))
    return bool(children)


@FAULTS.add("the profile is edited", harmless=True)
def _edit_profile(world: World, job: int, amount: float) -> bool:
    for profile in world.server.all("ComputeProfile"):
        spec = {**profile["spec"], "image": f"registry.example/trainer@sha256:{world.loop.time():.0f}"}
        world.server.update(key_of(profile), spec=spec)
    return True


@FAULTS.add("the profiles vanish for a while", amount=120, harmless=True)
def _vanish_profiles(world: World, job: int, amount: float) -> bool:
    for profile in world.server.all("ComputeProfile"):
        world.server.delete(key_of(profile))
        again = {**profile, "metadata": {"name": profile["metadata"]["name"]}}
        world.loop.call_later(amount, world.create_if_absent, again)
    return True


@FAULTS.add("the clock jumps ahead", amount=3600, harmless=True)
def _jump_ahead(world: World, job: int, amount: float) -> bool:
    return _jump(world, amount)


@FAULTS.add("the clock jumps back", amount=3600, harmless=True)
def _jump_back(world: World, job: int, amount: float) -> bool:
    return _jump(world, -amount)


def _jump(world: World, seconds: float) -> bool:
    holder = world.holder()
    if holder is not None:
        holder.jump(seconds)
    return holder is not None
