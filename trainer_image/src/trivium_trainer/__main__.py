"""`python -m trivium_trainer run|check --config PATH`: the entrypoint of every attempt, in a pod and on a laptop."""

import argparse
import logging
import os
import sys
from typing import NoReturn

from pydantic import ValidationError

from trivium_trainer.config import RunConfig
from trivium_trainer.driver.ending import exit_code
from trivium_trainer.driver.environment import set_defaults
from trivium_trainer.driver.logs import configure_logging
from trivium_trainer.driver.signals import Termination
from trivium_trainer.failure import EndRecord, FailureClass, TrainingError
from trivium_trainer.launch import Work, launch
from trivium_trainer.layout import mounted


def main(arguments: list[str] | None = None, work: Work | None = None) -> NoReturn:
    """Run one attempt, or only parse its RunConfig; the last line of output is the end record."""
    options = _parse(arguments)
    set_defaults()
    configure_logging("driver")
    try:
        config = read_config(options.config)
    except TrainingError as error:
        _leave(EndRecord(outcome="failed", stage="unknown", failure=error.to_failure()))
    if options.command == "check":
        print(f"{options.config}: {config.recipe}, stage {config.stage}, job {config.job.namespace}/{config.job.name}")
        sys.exit(0)
    termination = Termination()
    termination.install()
    _leave(launch(config, termination, work or Work()))


def read_config(path: str) -> RunConfig:
    """Raises TrainingError (UserError) where the file is absent or not a RunConfig; values are not echoed."""
    try:
        return RunConfig.model_validate_json(mounted(path).read_bytes())
    except OSError as error:
        message = f"--config: {path} cannot be read: {error.strerror}."
        cause: Exception = error
    except ValidationError as error:
        found = [f"{'.'.join(map(str, item['loc'])) or 'RunConfig'}: {item['msg']}" for item in error.errors()]
        message = f"--config: {path} is no RunConfig: {'; '.join(found[:5])}."
        cause = error
    remedy = "The operator writes this file: use the trainer image that its version is made for."
    raise TrainingError(FailureClass.USER_ERROR, "InvalidRunConfig", message, remedy=remedy) from cause


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m trivium_trainer", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, text in (("run", "run one attempt of one stage"), ("check", "only parse the RunConfig")):
        command = commands.add_parser(name, help=text)
        command.add_argument("--config", required=True, help="path of the RunConfig, below TRIVIUM_MOUNT_ROOT")
    return parser.parse_args(arguments)


def _leave(record: EndRecord) -> NoReturn:
    """Print the record and end the process at once: an interpreter's exit handlers would print below it."""
    logging.shutdown()
    sys.stderr.flush()
    print(record.to_log_line(), flush=True)
    os._exit(exit_code(record))


if __name__ == "__main__":
    main()
