"""A plan on a terminal: what was chosen, where the memory goes, how long it takes, and what else it could be."""

from collections.abc import Sequence

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from trivium.api import Job
from trivium.api.plan_status import Plan
from trivium.cli import plan_figures as figures
from trivium.cli.plan_machines import MachineChoice
from trivium.cli.plan_memory import print_memory
from trivium.planning import Refusal, Study
from trivium.planning.alternatives import Alternative
from trivium.planning.fit import Candidate


def print_study(job: Job, machine: MachineChoice, study: Study, *, explain: bool, console: Console) -> None:
    """One job on one machine, from top to bottom."""
    result = study.result
    verdict = (
        Text("does not fit", style="bold red") if isinstance(result, Refusal) else Text("fits", style="bold green")
    )
    if isinstance(result, Plan) and result.memory_per_gpu is None:
        verdict = Text("cannot be judged yet", style="bold yellow")
    console.print(Text.assemble((f"{job.kind} {job.metadata.name}", "bold"), f" on {machine.label}: ", verdict))
    if isinstance(result, Refusal):
        console.print(Padding(f"{result.field}: {result.problem}.", (0, 0, 0, 2)))
    else:
        _print_plan(job, result, console=console)
    _print_alternatives(result, study.alternatives, console=console)
    if isinstance(result, Refusal) and not study.alternatives:
        for way in result.ways_out:
            console.print(Padding(way, (0, 0, 0, 2)))
    if explain:
        _print_reasons(result, study.candidates, console=console)
    for remark in machine.remarks:
        console.print(Padding(Text(remark, style="dim"), (0, 0, 0, 2)))


def print_comparison(job: Job, studies: Sequence[tuple[MachineChoice, Study]], *, console: Console) -> None:
    """A row a machine; below it why some will not do."""
    console.print(Text(f"{job.kind} {job.metadata.name}", style="bold"))
    table = _table("MACHINE", "FITS", "ZERO", "RECOMPUTE", "BATCH", "MEMORY/GPU", "STEP", "TIME", "GPU-HOURS")
    refused: list[tuple[str, Refusal]] = []
    for machine, study in studies:
        if isinstance(study.result, Refusal):
            refused.append((machine.label, study.result))
            table.add_row(machine.label, Text("no", style="red"))
        elif study.result.memory_per_gpu is None:
            table.add_row(machine.label, Text("not known", style="yellow"))
        else:
            table.add_row(machine.label, Text("yes", style="green"), *_compared(study.result))
    console.print(table)
    plans = [study.result for _, study in studies if isinstance(study.result, Plan)]
    for reason in dict.fromkeys(_what_is_missing(plan) for plan in plans if plan.memory_per_gpu is None):
        console.print(reason)
    for label, refusal in refused:
        console.print(Text.assemble((f"{label}: ", "bold"), refusal.message))
    for remark in dict.fromkeys(remark for machine, _ in studies for remark in machine.remarks):
        console.print(Text(remark, style="dim"))


def _compared(plan: Plan) -> tuple[str, ...]:
    return (
        str(plan.zero_stage),
        "yes" if plan.gradient_checkpointing else "no",
        figures.cut(plan),
        figures.memory(plan),
        figures.step_time(plan),
        figures.time(plan),
        figures.hours(plan),
    )


def _print_plan(job: Job, plan: Plan, *, console: Console) -> None:
    facts = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    facts.add_column(style="bold", no_wrap=True)
    facts.add_column(overflow="fold")
    for name, value in figures.facts(plan, unit="pairs" if job.kind == "PreferenceJob" else "sequences"):
        facts.add_row(name, value)
    console.print(Padding(facts, (0, 0, 0, 2)))
    if plan.memory_per_gpu is not None:
        print_memory(plan.memory_per_gpu, gpu=plan.gpus > 0, console=console)
    else:
        console.print(Padding(_what_is_missing(plan), (0, 0, 0, 2)))


def _what_is_missing(plan: Plan) -> str:
    """Why a plan cannot be judged yet."""
    if plan.parameters:
        return "Only the number of parameters is known. With the model's config.json there is more: --model PATH."
    return "Nothing is known of the model here. Give its config.json (--model PATH), or set model.parameters."


def _print_alternatives(result: Plan | Refusal, alternatives: Sequence[Alternative], *, console: Console) -> None:
    if not alternatives:
        return
    title = "These would fit; each was planned:" if isinstance(result, Refusal) else "Or instead; each was planned:"
    console.print(f"\n  {title}")
    table = _table("CHANGE IN SPEC", "ZERO", "RECOMPUTE", "MEMORY/GPU", "TIME", "GPU-HOURS")
    for one in alternatives:
        plan = one.plan
        table.add_row(
            Text("\n".join(f"{path}: {value}" for path, value in one.edit.lines())),
            str(plan.zero_stage),
            "yes" if plan.gradient_checkpointing else "no",
            figures.memory(plan),
            figures.time(plan),
            figures.hours(plan),
        )
    console.print(Padding(table, (0, 0, 0, 2)))


def _print_reasons(result: Plan | Refusal, candidates: Sequence[Candidate], *, console: Console) -> None:
    if isinstance(result, Plan):
        console.print("\n  Why:")
        notes = Table(box=None, show_header=False, pad_edge=False, padding=(0, 1, 0, 0))
        for note in result.notes:
            notes.add_row("-", note)
        console.print(Padding(notes, (0, 0, 0, 2)))
    if not candidates:
        return
    console.print("\n  What was weighed, from the least communication to the least memory:")
    table = _table("ZERO", "RECOMPUTE", "MICRO-BATCH", "MEMORY/GPU", "VERDICT")
    for one in candidates:
        table.add_row(
            str(one.zero_stage),
            "yes" if one.checkpointing else "no",
            str(one.micro_batch),
            figures.gibibytes(one.memory.total),
            _verdict(one, result),
        )
    console.print(Padding(table, (0, 0, 0, 2)))


def _verdict(one: Candidate, result: Plan | Refusal) -> Text:
    if not one.fits:
        return Text("does not fit", style="red")
    if isinstance(result, Refusal):
        return Text("fits")
    if (one.zero_stage, one.checkpointing) == (result.zero_stage, result.gradient_checkpointing):
        return Text("chosen", style="bold green")
    if not one.busy:
        return Text("fits, but so small a micro-batch leaves the device idle")
    if one.zero_stage > result.zero_stage:
        return Text("fits, but communicates more")
    return Text("fits, but computes activations twice")


def _table(*names: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for name in names:
        # Only what is changed may be folded: numbers are useless in pieces.
        table.add_column(name, no_wrap=name not in {"CHANGE IN SPEC", "VERDICT"}, overflow="fold")
    return table
