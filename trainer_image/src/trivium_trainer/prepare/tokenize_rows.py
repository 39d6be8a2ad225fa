"""Rows -> token ids, and which of them are trained.

Text is tokenized whole and split afterwards by the places of its tokens, because a model sees whole text in use, and a
tokenizer may join what stands on both sides of a border.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from trivium_trainer.config import Data
from trivium_trainer.prepare.example import Ids, Tokenized
from trivium_trainer.prepare.problems import BadRecordError
from trivium_trainer.prepare.rows import Completion, Conversation, Document, Messages, Preference, Row
from trivium_trainer.prepare.template import ChatTemplate, TemplateRefusedError


class RowTokenizer:
    """Tokenizes the rows of one source."""

    def __init__(
        self, tokenizer: Any, *, template: ChatTemplate | None, data: Data, needs_marks: bool, eos_token_id: int
    ) -> None:
        self._tokenizer = tokenizer
        self._template = template
        self._data = data
        self._needs_marks = needs_marks
        self._eos = eos_token_id

    def tokenize(self, rows: Sequence[tuple[str, Row]]) -> list[Tokenized | BadRecordError]:
        """Each row, with its location, as an example or as what is wrong with it. Order is kept."""
        results: list[Tokenized | BadRecordError] = []
        for location, row in rows:
            try:
                results.append(self._one(row))
            except TemplateRefusedError as error:
                results.append(BadRecordError(location, f"the chat template refuses it ({error})"))
        return results

    def tokenize_documents(self, texts: Sequence[str]) -> list[Tokenized]:
        """Documents, each with the end token, in one parallel call."""
        encodings = self._tokenizer.backend_tokenizer.encode_batch_fast(list(texts), add_special_tokens=True)
        return [
            Tokenized(segments=(self._with_end(np.asarray(encoding.ids, dtype=np.int64)),), trained=None)
            for encoding in encodings
        ]

    def _one(self, row: Row) -> Tokenized:
        match row:
            case Document():
                return self.tokenize_documents([row.text])[0]
            case Completion():
                prompt, completion = self._split(row.prompt, row.prompt + row.completion, special=True)
                return self._masked(prompt, self._with_end(completion))
            case Conversation() if self._needs_marks and not row.only_completion:
                return self._conversation(row)
            case Conversation() if self._data.loss == "all":
                assert self._template is not None
                ids = self._ids(self._template.render(row.messages), special=False)
                return self._masked(ids[:0], ids)
            case Conversation():
                text, prompt_text = self._rendered(row.messages, row.completion_start)
                prompt, completion = self._split(prompt_text, text, special=False)
                return self._masked(prompt, completion)
            case Preference():
                return self._preference(row)

    def _masked(self, prompt: Ids, completion: Ids) -> Tokenized:
        """Trained: the completion, or everything where the job's loss says so."""
        trained = np.ones(len(prompt) + len(completion), dtype=np.bool_)
        if self._data.loss != "all":
            trained[: len(prompt)] = False
        return Tokenized(segments=(np.concatenate([prompt, completion]),), trained=trained)

    def _conversation(self, row: Conversation) -> Tokenized:
        assert self._template is not None
        text, spans = self._template.render_with_marks(row.messages)
        encoding = self._encode(text, special=False)
        starts, ends = np.asarray(encoding.offsets, dtype=np.int64).reshape(-1, 2).T
        trained = np.zeros(len(starts), dtype=np.bool_)
        for start, end in spans:
            # From the first token that reaches into the span to the last one that begins in it: tokens whose own
            # place is empty (trimmed white space) lie between.
            inside = np.flatnonzero((ends > start) & (starts < end))
            if len(inside):
                trained[inside[0] : inside[-1] + 1] = True
        return Tokenized(segments=(np.asarray(encoding.ids, dtype=np.int64),), trained=trained)

    def _preference(self, row: Preference) -> Tokenized:
        if isinstance(row.prompt, str):
            assert isinstance(row.chosen, str)
            assert isinstance(row.rejected, str)
            texts = (row.prompt + row.chosen, row.prompt + row.rejected)
            prompt_text, special = row.prompt, True
        else:
            assert not isinstance(row.chosen, str)
            assert not isinstance(row.rejected, str)
            chosen, prompt_text = self._rendered(row.prompt + row.chosen, len(row.prompt))
            rejected, _ = self._rendered(row.prompt + row.rejected, len(row.prompt))
            texts, special = (chosen, rejected), False
        prompt_ids = self._ids(prompt_text, special=special, is_prompt=True)
        sides = [self._ids(text, special=special) for text in texts]
        # As TRL 1.16 does: where a tokenizer joins over the border, the shared beginning is the prompt of both sides.
        shared = min(_common_prefix(prompt_ids, side) for side in sides)
        completions = [self._with_end(side[shared:]) if special else side[shared:] for side in sides]
        return Tokenized(segments=(prompt_ids[:shared], *completions), trained=None)

    def _rendered(self, messages: Messages, completion_start: int) -> tuple[str, str]:
        """(prompt and completion, prompt) as text. The first must begin with the second."""
        assert self._template is not None
        prompt = self._template.render(messages[:completion_start], generation_prompt=True)
        text = self._template.render(messages)
        if not text.startswith(prompt):
            raise ValueError(
                "it changes earlier turns once an answer follows, so prompt and answer cannot be told apart"
            )
        # Nothing that a template writes after the end token is ever generated, so it belongs to no completion.
        return text.rstrip(), prompt

    def _split(self, prompt: str, text: str, *, special: bool) -> tuple[Ids, Ids]:
        """Tokens of the text, split where those of the prompt alone stop being its beginning."""
        prompt_ids = self._ids(prompt, special=special, is_prompt=True)
        ids = self._ids(text, special=special)
        shared = _common_prefix(prompt_ids, ids)
        return ids[:shared], ids[shared:]

    def _ids(self, text: str, *, special: bool, is_prompt: bool = False) -> Ids:
        ids = np.asarray(self._encode(text, special=special).ids, dtype=np.int64)
        # Some tokenizers end every text by themselves; a prompt must stay open.
        return ids[:-1] if is_prompt and special and len(ids) and ids[-1] == self._eos else ids

    def _encode(self, text: str, *, special: bool) -> Any:
        return self._tokenizer.backend_tokenizer.encode(text, add_special_tokens=special)

    def _with_end(self, ids: Ids) -> Ids:
        return ids if len(ids) and ids[-1] == self._eos else np.append(ids, self._eos)


def _common_prefix(first: Ids, second: Ids) -> int:
    shortest = min(len(first), len(second))
    different = np.flatnonzero(first[:shortest] != second[:shortest])
    return int(different[0]) if len(different) else shortest
