"""Placing an order on a state folder, and saying what came of it."""

import uuid
from datetime import UTC, datetime
from pathlib import Path

from trivium.cli.errors import CommandError
from trivium.cli.exit_codes import ExitCode
from trivium.cli.job_address import address_of, find_job
from trivium.cli.state_reader import StateReader
from trivium.local.admission import admit
from trivium.local.machine import this_machine
from trivium.local.object_store import ObjectStore
from trivium.local.orders import Orders, order_key
from trivium.local.requests import Answer, Execute, Order, ask
from trivium.local.snapshots import Snapshots
from trivium.local.state_folder import StateFolder, lock_holder

_NOBODY_WORKS = " No trivium process is at work here; it takes effect with the next `trivium run`."


def place_order(verb: str, job: str, *, namespace: str, state: Path, **options: bool) -> str:
    """Have it carried out; the sentence to show. Raises CommandError if it was refused."""
    reader = StateReader(state)
    manifest = find_job(job, reader.jobs(), namespace=namespace)
    folder = reader.folder
    at_work = lock_holder(folder.lock_file) is not None
    answer = ask(folder, {"verb": verb, "job": order_key(manifest), **options}, alone=carry_out_alone(folder))
    sentence = f"{address_of(manifest)} {answer.message}."
    if not answer.ok:
        raise CommandError(sentence, code=ExitCode.INVALID)
    return sentence + ("" if at_work or verb == "delete" else _NOBODY_WORKS)


def open_store(folder: StateFolder) -> ObjectStore:
    """The objects of a state folder, with the rules of the API server; needs the lock. Raises CommandError."""
    try:
        return ObjectStore(
            Snapshots(folder.objects), clock=lambda: datetime.now(UTC), new_uid=lambda: str(uuid.uuid4()), admit=admit
        )
    except ValueError as error:
        raise CommandError(str(error)) from error


def carry_out_alone(folder: StateFolder) -> Execute:
    """Carries out orders on a store that is opened only when one comes."""

    def carry_out(order: Order) -> Answer:
        return Orders(open_store(folder), folder, this_machine())(order)

    return carry_out
