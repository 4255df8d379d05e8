"""A language model and a tokenizer of eight letters, for tests of TRL: made here, nothing is downloaded."""

from __future__ import annotations

from tokenizers import Tokenizer, decoders, pre_tokenizers
from tokenizers.models import WordLevel
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

__all__ = ["letter_model", "letter_tokenizer"]

TOKENS = ("<pad>", "<eos>", "<unk>", *"abcdefgh ")


def letter_tokenizer() -> PreTrainedTokenizerFast:
    """Return a tokenizer that makes a token of each letter."""
    tokenizer = Tokenizer(WordLevel({token: i for i, token in enumerate(TOKENS)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    tokenizer.decoder = decoders.Fuse()
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer, pad_token="<pad>", eos_token="<eos>", unk_token="<unk>"
    )


def letter_model() -> GPT2LMHeadModel:
    """Return an untrained model of a thousand weights."""
    shape = GPT2Config(
        vocab_size=len(TOKENS), n_positions=32, n_embd=8, n_layer=1, n_head=1,
        bos_token_id=1, eos_token_id=1, pad_token_id=0,
    )  # fmt: skip
    return GPT2LMHeadModel(shape)
