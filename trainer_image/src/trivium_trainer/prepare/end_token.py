"""The token that ends an answer: it must be trained, or generation never ends."""

from typing import Any

from trivium_trainer.config import Data
from trivium_trainer.prepare.problems import user_error
from trivium_trainer.prepare.template import ChatTemplate

_QUESTION = {"role": "user", "content": "question"}
_ANSWER = {"role": "assistant", "content": "answer"}


def require_end_token(tokenizer: Any) -> int:
    """The token that ends plain text. Raises UserError where the tokenizer has none."""
    if tokenizer.eos_token_id is None:
        raise user_error(
            "NoEndToken",
            "model.tokenizer: it has no end token (eos_token), so nothing would end a document or an answer.",
            remedy="Use a tokenizer with eos_token set in its tokenizer_config.json.",
        )
    return int(tokenizer.eos_token_id)


def find_turn_end(tokenizer: Any, template: ChatTemplate, *, data: Data, needs_marks: bool) -> int:
    """The token that ends an assistant's turn, read off a rendered conversation.

    It is the last trained token that is not white space, and must come from the added vocabulary: an ordinary token
    there means that the template leaves the end of a turn to whatever follows it. Raises UserError then.
    """
    if needs_marks:
        # A user turn follows because some templates never end the last one.
        text, spans = template.render_with_marks([_QUESTION, _ANSWER, _QUESTION])
        answer = text[spans[0][0] : spans[0][1]] if spans else ""
    else:
        prompt = template.render([_QUESTION], generation_prompt=True)
        answer = template.render([_QUESTION, _ANSWER]).removeprefix(prompt)
    ids = tokenizer(answer.rstrip(), add_special_tokens=False)["input_ids"]
    added = set(tokenizer.get_added_vocab().values()) | set(tokenizer.all_special_ids)
    if ids and ids[-1] in added:
        return int(ids[-1])
    last = repr(tokenizer.decode(ids[-1:])) if ids else "nothing"
    raise user_error(
        "EndTokenNotTrained",
        f"{template.field}: an assistant turn ends in {last}, which is no special token, so a model trained with "
        f"data.loss: {data.loss} would never learn to stop.",
        remedy="Write the end token right after the content, inside the {% generation %} marks where there are any.",
    )
