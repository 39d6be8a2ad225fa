"""Which chat template renders conversations, and which of its tokens end an answer.

In this order: the job's own, the tokenizer's, the default below. A template without `{% generation %}` marks cannot say
which tokens are the assistant's; for some thirty well-known ones TRL has a version with marks, which is used for
tokenizing only: the tokenizer that the model leaves with keeps its own.
"""

import re
from dataclasses import dataclass
from typing import Any, Literal

from jinja2 import TemplateError
from transformers.utils.chat_template_utils import render_jinja_template

from trivium_trainer.config import Data
from trivium_trainer.prepare.problems import user_error
from trivium_trainer.prepare.rows import Messages

TURN_START, TURN_END = "<|im_start|>", "<|im_end|>"

# ChatML. The newline after endgeneration is written as an expression because Jinja trims a literal one.
DEFAULT_TEMPLATE = (
    "{%- if bos_token %}{{ bos_token }}{% endif -%}"
    "{%- for message in messages -%}"
    f"{{{{ '{TURN_START}' + message['role'] + '\\n' }}}}"
    "{%- if message['role'] == 'assistant' -%}"
    f"{{% generation %}}{{{{ message['content'] + '{TURN_END}' }}}}{{% endgeneration %}}"
    "{%- else -%}"
    f"{{{{ message['content'] + '{TURN_END}' }}}}"
    "{%- endif -%}"
    "{{ '\\n' }}"
    "{%- endfor -%}"
    f"{{%- if add_generation_prompt -%}}{{{{ '{TURN_START}assistant\\n' }}}}{{%- endif -%}}"
)

_SPECIAL_TOKEN = re.compile(r"<\|[^<>|\s]{1,64}\|>")
_MARKS = re.compile(r"\{%-?\s*generation\s*-?%\}")


class TemplateRefusedError(Exception):
    """A template cannot render a conversation: it says so itself, or it fails on it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatTemplate:
    """A template and the variables that it may use."""

    text: str
    """What conversations are rendered with here."""
    saved_text: str
    """What the tokenizer is saved with."""
    origin: Literal["job", "tokenizer", "default"]
    variables: dict[str, str]
    """bos_token, eos_token ...: the tokenizer's special tokens by name."""

    @property
    def field(self) -> str:
        """How the template is called in messages."""
        return "data.chatTemplate" if self.origin == "job" else "The chat template"

    def render(self, messages: Messages, *, generation_prompt: bool = False) -> str:
        """The conversation as text. Raises TemplateRefusedError."""
        return self._render(messages, marks=False, generation_prompt=generation_prompt)[0]

    def render_with_marks(self, messages: Messages) -> tuple[str, list[tuple[int, int]]]:
        """The text, and the spans of characters [start, end) that are the assistant's."""
        text, spans = self._render(messages, marks=True, generation_prompt=False)
        return text, [(start, end) for start, end in spans if end > start]

    def _render(self, messages: Messages, *, marks: bool, generation_prompt: bool) -> tuple[str, list[tuple[int, int]]]:
        try:
            rendered, spans = render_jinja_template(
                [messages],
                chat_template=self.text,
                return_assistant_tokens_mask=marks,
                add_generation_prompt=generation_prompt,
                **self.variables,
            )
        except (TemplateError, TypeError, ValueError, KeyError) as error:
            # Jinja lets the errors of expressions through; all of them are the template's or the conversation's.
            raise TemplateRefusedError(" ".join(str(error).split())) from error
        return rendered[0], spans[0] if spans else []


def choose_template(tokenizer: Any, data: Data, *, needs_marks: bool) -> ChatTemplate:
    """The template of this job. Raises UserError where marks are needed and cannot be had."""
    origin: Literal["job", "tokenizer", "default"]
    if data.chat_template is not None:
        origin, saved = "job", data.chat_template
    elif tokenizer.chat_template is not None:
        own = tokenizer.chat_template
        origin, saved = "tokenizer", own["default"] if isinstance(own, dict) else own
    else:
        origin, saved = "default", DEFAULT_TEMPLATE
    text = saved
    if needs_marks and _MARKS.search(saved) is None:
        text = _with_marks(tokenizer, saved, origin=origin)
    variables = {name: token for name, token in tokenizer.special_tokens_map.items() if isinstance(token, str)}
    template = ChatTemplate(text=text, saved_text=saved, origin=origin, variables=variables)
    _require_renders(template)
    return template


def tokens_of(template: ChatTemplate) -> list[str]:
    """Special tokens that the template writes and the vocabulary must have.

    The tokenizer's own template is left alone: where its turn marks are plain text (Zephyr), they were trained so.
    """
    if template.origin == "tokenizer":
        return []
    return list(dict.fromkeys(_SPECIAL_TOKEN.findall(template.saved_text)))


def _with_marks(tokenizer: Any, text: str, *, origin: str) -> str:
    # Imported here: TRL's import costs seconds, and most jobs do not need it.
    from trl.chat_template_utils import get_training_chat_template  # noqa: PLC0415 - seconds, and only for a template without marks

    before = tokenizer.chat_template
    tokenizer.chat_template = text
    try:
        patched = get_training_chat_template(tokenizer)
    except (ValueError, TemplateError, TypeError) as error:
        where = "data.chatTemplate" if origin == "job" else "The tokenizer's chat template"
        raise user_error(
            "TemplateWithoutMarks",
            f"{where}: no {{% generation %}} marks, so data.loss: assistant cannot tell which tokens are the "
            "assistant's.",
            remedy="Put {% generation %} ... {% endgeneration %} around the assistant's content and end token in "
            "data.chatTemplate, or set data.loss to completion or all.",
        ) from error
    finally:
        tokenizer.chat_template = before
    return text if patched is None else str(patched)


def _require_renders(template: ChatTemplate) -> None:
    try:
        template.render([{"role": "user", "content": "question"}, {"role": "assistant", "content": "answer"}])
    except TemplateRefusedError as error:
        raise user_error(
            "TemplateFailed",
            f"{template.field} does not render a user and an assistant turn: {error}.",
            remedy="Correct the template, or leave data.chatTemplate out.",
        ) from error
