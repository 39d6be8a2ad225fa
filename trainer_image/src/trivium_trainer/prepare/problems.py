"""The two ways in which inputs can be wrong, as errors with class, reason and remedy."""

from trivium_trainer.config import DataSource
from trivium_trainer.failure import FailureClass, TrainingError

_EXCERPT_CHARACTERS = 200


class BadRecordError(Exception):
    """One record that cannot be used. `onBadRecord` decides whether it ends the job or is counted."""

    def __init__(self, location: str, problem: str) -> None:
        super().__init__(f"{location}: {problem}")


def user_error(reason: str, message: str, *, remedy: str) -> TrainingError:
    """The job asks for something that does not fit together."""
    return TrainingError(FailureClass.USER_ERROR, reason, message, remedy=remedy)


def data_error(reason: str, message: str, *, remedy: str) -> TrainingError:
    """The data is not what the job says."""
    return TrainingError(FailureClass.DATA_ERROR, reason, message, remedy=remedy)


def field_of(source: DataSource) -> str:
    """How a source is called in messages: `data.train[0]`, or by the name that the job gave it."""
    return f"data.{source.name}" if source.name.endswith("]") else f"data source {source.name}"


def excerpt(value: object) -> str:
    """The start of a value for a message, on one line."""
    text = " ".join(repr(value).split())
    return text if len(text) <= _EXCERPT_CHARACTERS else text[:_EXCERPT_CHARACTERS] + "..."
