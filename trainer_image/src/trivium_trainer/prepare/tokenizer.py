"""The tokenizer of a job: loaded, or trained on the training text; then given the tokens of its chat template."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from trivium_trainer.config import Data, TrainTokenizer
from trivium_trainer.prepare.end_token import find_turn_end, require_end_token
from trivium_trainer.prepare.files import digest_text
from trivium_trainer.prepare.problems import user_error
from trivium_trainer.prepare.template import TURN_END, TURN_START, ChatTemplate, choose_template, tokens_of

BOS, EOS, PAD = "<|startoftext|>", "<|endoftext|>", "<|pad|>"
# In the vocabulary from the start, so that a later stage with the default template need not resize the model.
SPECIAL_TOKENS = (BOS, EOS, PAD, TURN_START, TURN_END)

MAX_TRAINING_CHARACTERS = 2**29
"""A BPE of usual size gains nothing from more than half a gigabyte, and training holds every word in memory."""

# Tokens that families of models reserve for padding: Llama 3.1, Mistral and others, BERT-like, ours.
_RESERVED_PADS = ("<|finetune_right_pad_id|>", "<pad>", "[PAD]", PAD, "<|endoftext|>", "<unk>")


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedTokenizer:
    """A tokenizer that is ready to be saved, and what this job changed in it."""

    tokenizer: Any
    template: ChatTemplate | None
    """None where no row needs one."""
    needs_marks: bool
    pad_token_id: int
    eos_token_id: int
    added_tokens: int
    """Tokens that the vocabulary lacked."""
    added_token_ids: list[int]
    """Rows of the embedding that nothing has trained before this job."""

    @property
    def digest(self) -> str:
        """SHA-256 of all that decides which tokens a text becomes."""
        tokenizer = self.tokenizer
        special = sorted((str(name), str(token)) for name, token in tokenizer.special_tokens_map.items())
        return digest_text(tokenizer.backend_tokenizer.to_str(), repr(special), str(tokenizer.chat_template))

    def save(self, folder: Path) -> None:
        """As `AutoTokenizer.from_pretrained` reads it."""
        self.tokenizer.save_pretrained(folder)


def load_tokenizer(folder: Path, *, trust_remote_code: bool = False) -> Any:
    """A tokenizer with the fast backend. Raises UserError where the folder holds none."""
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=trust_remote_code, local_files_only=True)
    except (OSError, ValueError, ImportError, KeyError) as error:
        raise user_error(
            "TokenizerUnreadable",
            f"model.tokenizer: no tokenizer could be loaded ({' '.join(str(error).split())[:300]}).",
            remedy="Add tokenizer.json and tokenizer_config.json beside the model, or name model.tokenizer.from.",
        ) from error
    if not getattr(tokenizer, "is_fast", False):
        raise user_error(
            "SlowTokenizer",
            f"model.tokenizer: {type(tokenizer).__name__} has no fast version, which the loss mask needs for the "
            "places of tokens in the text.",
            remedy="Save the tokenizer in the form of tokenizer.json.",
        )
    return tokenizer


def train_tokenizer(texts: Iterable[str], want: TrainTokenizer) -> Any:
    """A byte-level BPE tokenizer; the same texts in the same order give the same one.

    Every text begins with the BOS token, so that the first real token has something to be predicted from.
    """
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=want.vocab_size,
        special_tokens=list(SPECIAL_TOKENS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    backend.train_from_iterator(_limited(texts), trainer=trainer)
    backend.post_processor = processors.Sequence(
        [
            processors.ByteLevel(trim_offsets=False),
            processors.TemplateProcessing(
                single=f"{BOS} $A",
                pair=f"{BOS} $A $B",
                special_tokens=[(BOS, backend.token_to_id(BOS))],
            ),
        ]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        bos_token=BOS,
        eos_token=EOS,
        pad_token=PAD,
        extra_special_tokens=[TURN_START, TURN_END],
        clean_up_tokenization_spaces=False,
    )


def _limited(texts: Iterable[str]) -> Iterator[str]:
    characters = 0
    for text in texts:
        if characters >= MAX_TRAINING_CHARACTERS:
            return
        characters += len(text)
        yield text


def complete_tokenizer(tokenizer: Any, data: Data, *, conversations: bool, needs_marks: bool) -> PreparedTokenizer:
    """The tokenizer with its template, end token and pad token as this job needs them.

    conversations: some row is rendered by a template. needs_marks: the loss is on the assistant's tokens alone.
    """
    before = len(tokenizer)
    if not conversations:
        eos = require_end_token(tokenizer)
        return PreparedTokenizer(
            tokenizer=tokenizer,
            template=None,
            needs_marks=False,
            pad_token_id=_set_pad(tokenizer),
            eos_token_id=eos,
            added_tokens=0,
            added_token_ids=[],
        )
    template = choose_template(tokenizer, data, needs_marks=needs_marks)
    wanted = tokens_of(template)
    known = tokenizer.get_vocab()
    # A template that the tokenizer did not have was never used in training, so its tokens are new to the model even
    # where the vocabulary has them.
    unused = wanted if tokenizer.chat_template is None else [token for token in wanted if token not in known]
    tokenizer.add_tokens([token for token in wanted if token not in known], special_tokens=True)
    tokenizer.chat_template = template.saved_text
    end = find_turn_end(tokenizer, template, data=data, needs_marks=needs_marks)
    tokenizer.eos_token = tokenizer.convert_ids_to_tokens(end)
    return PreparedTokenizer(
        tokenizer=tokenizer,
        template=template,
        needs_marks=needs_marks,
        pad_token_id=_set_pad(tokenizer),
        eos_token_id=end,
        added_tokens=len(tokenizer) - before,
        added_token_ids=sorted(tokenizer.convert_tokens_to_ids(unused)),
    )


def _set_pad(tokenizer: Any) -> int:
    """A pad token other than the end token where the vocabulary has a fit one.

    Never a new one: it would resize the model for a token that no loss and no attention ever sees.
    """
    if tokenizer.pad_token_id is None or tokenizer.pad_token_id == tokenizer.eos_token_id:
        vocabulary = tokenizer.get_vocab()
        fit = [token for token in _RESERVED_PADS if token in vocabulary and token != tokenizer.eos_token]
        tokenizer.pad_token = fit[0] if fit else tokenizer.eos_token
    return int(tokenizer.pad_token_id)
