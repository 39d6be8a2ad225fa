"""Records -> rows: what a record means for training, in one of four shapes.

| format           | columns                        | becomes                                               |
| text             | text                           | Document                                              |
| instruction      | instruction[, input], output   | Conversation: a user turn and an assistant turn       |
| promptCompletion | prompt, completion             | Completion (strings), or Conversation (messages)      |
| messages         | messages                       | Conversation                                          |
| preference       | [prompt,] chosen, rejected     | Preference (strings or messages)                      |
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from trivium_trainer.prepare.problems import BadRecordError, excerpt
from trivium_trainer.prepare.records import Record

Format = Literal["text", "instruction", "promptCompletion", "messages", "preference"]
Messages = list[dict[str, Any]]

# ShareGPT's names, as found in many data sets: {"from": "human", "value": "..."}.
_SHAREGPT_ROLES = {"human": "user", "gpt": "assistant", "system": "system", "tool": "tool"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """Running text."""

    text: str

    @property
    def key(self) -> str:
        """What decides whether the row is held out."""
        return self.text


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """Turns of system, user and assistant."""

    messages: Messages
    completion_start: int
    """Index of the first message of the completion: the last assistant turn, unless the row says otherwise."""
    only_completion: bool = False
    """The row itself divides prompt and completion, so assistant turns of the prompt are not trained."""

    @property
    def key(self) -> str:
        return first_user_turn(self.messages)


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """A prompt and what follows it, both plain text."""

    prompt: str
    completion: str

    @property
    def key(self) -> str:
        return self.prompt


@dataclass(frozen=True, slots=True, kw_only=True)
class Preference:
    """A prompt with a chosen and a rejected answer: all strings, or all messages."""

    prompt: str | Messages
    chosen: str | Messages
    rejected: str | Messages

    @property
    def key(self) -> str:
        return self.prompt if isinstance(self.prompt, str) else first_user_turn(self.prompt)


Row = Document | Conversation | Completion | Preference


def first_user_turn(messages: Messages) -> str:
    """The text that decides whether a conversation is held out; without a user turn, its first message."""
    users = [message for message in messages if message["role"] == "user"]
    return str((users or messages)[0]["content"])


def parse_row(record: Record, *, row_format: Format, columns: Mapping[str, str]) -> Row:
    """The row in a record. `columns`: our name -> the column's. Raises BadRecordError."""
    fields = _Fields(record, columns)
    match row_format:
        case "text":
            return Document(text=fields.text("text"))
        case "instruction":
            return _instruction(fields)
        case "promptCompletion":
            return _prompt_completion(fields)
        case "messages":
            return _conversation(fields, fields.messages("messages"))
        case "preference":
            return _preference(fields)


class _Fields:
    """Checked access to the columns of one record."""

    def __init__(self, record: Record, columns: Mapping[str, str]) -> None:
        self._record = record
        self._columns = columns

    def error(self, problem: str) -> BadRecordError:
        return BadRecordError(self._record.location, f"{problem}; the row is {excerpt(self._record.values)}")

    def get(self, name: str) -> Any:
        return self._record.values.get(self._columns.get(name, name))

    def text(self, name: str) -> str:
        value = self.get(name)
        if not isinstance(value, str):
            raise self.error(f"{self._columns.get(name, name)} is {_kind(value)}, not a string")
        if not value.strip():
            raise self.error(f"{self._columns.get(name, name)} is empty")
        return value

    def messages(self, name: str) -> Messages:
        value = self.get(name)
        column = self._columns.get(name, name)
        if not isinstance(value, list) or not value:
            raise self.error(f"{column} is {_kind(value)}, not a list of messages")
        return [self._message(message, column=f"{column}[{index}]") for index, message in enumerate(value)]

    def _message(self, message: Any, *, column: str) -> dict[str, Any]:
        if not isinstance(message, dict):
            raise self.error(f"{column} is {_kind(message)}, not an object with role and content")
        role, content = message.get("role"), message.get("content")
        if role is None and "from" in message:
            role, content = _SHAREGPT_ROLES.get(str(message["from"]), message["from"]), message.get("value")
        # Parquet fills absent fields with nulls; a template must see them absent.
        rest = {
            key: value
            for key, value in message.items()
            if value is not None and key not in {"role", "content", "from", "value"}
        }
        if not isinstance(role, str):
            raise self.error(f"{column}.role is {_kind(role)}, not a string")
        if content is None and "tool_calls" in rest:
            content = ""
        if not isinstance(content, str):
            raise self.error(f"{column}.content is {_kind(content)}, not a string")
        return {"role": role, "content": content, **rest}


def _instruction(fields: _Fields) -> Conversation:
    instruction = fields.text("instruction")
    extra = fields.get("input")
    if extra is not None and not isinstance(extra, str):
        raise fields.error(f"input is {_kind(extra)}, not a string")
    question = f"{instruction}\n\n{extra}" if extra and extra.strip() else instruction
    return Conversation(
        messages=[{"role": "user", "content": question}, {"role": "assistant", "content": fields.text("output")}],
        completion_start=1,
    )


def _prompt_completion(fields: _Fields) -> Completion | Conversation:
    if isinstance(fields.get("prompt"), str):
        return Completion(prompt=fields.text("prompt"), completion=fields.text("completion"))
    prompt, completion = fields.messages("prompt"), fields.messages("completion")
    return Conversation(messages=prompt + completion, completion_start=len(prompt), only_completion=True)


def _conversation(fields: _Fields, messages: Messages) -> Conversation:
    assistants = [index for index, message in enumerate(messages) if message["role"] == "assistant"]
    if not assistants:
        raise fields.error("no message has the role assistant")
    if not any(messages[index]["content"].strip() or "tool_calls" in messages[index] for index in assistants):
        raise fields.error("every assistant message is empty")
    return Conversation(messages=messages, completion_start=assistants[-1])


def _preference(fields: _Fields) -> Preference:
    if isinstance(fields.get("chosen"), str):
        chosen, rejected = fields.text("chosen"), fields.text("rejected")
        return _distinct(fields, Preference(prompt=fields.text("prompt"), chosen=chosen, rejected=rejected))
    chosen_turns, rejected_turns = fields.messages("chosen"), fields.messages("rejected")
    if fields.get("prompt") is None:
        return _distinct(fields, _split_prompt(fields, chosen_turns, rejected_turns))
    prompt = fields.get("prompt")
    turns = [{"role": "user", "content": prompt}] if isinstance(prompt, str) else fields.messages("prompt")
    if _starts_with(chosen_turns, turns) and _starts_with(rejected_turns, turns):
        # UltraFeedback and others repeat the prompt in front of both answers.
        return _distinct(fields, _split_prompt(fields, chosen_turns, rejected_turns))
    return _distinct(fields, Preference(prompt=turns, chosen=chosen_turns, rejected=rejected_turns))


def _split_prompt(fields: _Fields, chosen: Messages, rejected: Messages) -> Preference:
    """The messages that both conversations begin with are the prompt."""
    shared = 0
    while shared < min(len(chosen), len(rejected)) and chosen[shared] == rejected[shared]:
        shared += 1
    if not shared or not chosen[shared:] or not rejected[shared:]:
        raise fields.error("chosen and rejected are not two answers after the same messages")
    return Preference(prompt=chosen[:shared], chosen=chosen[shared:], rejected=rejected[shared:])


def _starts_with(messages: Messages, prompt: Messages) -> bool:
    return len(messages) > len(prompt) and messages[: len(prompt)] == prompt


def _distinct(fields: _Fields, row: Preference) -> Preference:
    if row.chosen == row.rejected:
        raise fields.error("chosen and rejected are the same")
    return row


def _kind(value: object) -> str:
    names = {type(None): "missing", str: "a string", list: "a list", dict: "an object", bool: "a boolean"}
    return names.get(type(value), "a number" if isinstance(value, int | float) else type(value).__name__)
