"""The tokenizer loses no text, and nothing written in a message can speak as another role."""

from typing import Any

import jinja2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.paths import CHECKPOINTS
from training.recipe import Recipe
from training.stages.tokenizer import CHAT_TEMPLATE, DOCUMENT_END, PAD, REPLY_END, SPECIAL, train_tokenizer

PIECES = st.one_of(st.text(max_size=8), st.sampled_from([*SPECIAL, "<", "<|", "|>", "|", "<<|", "end|>", "< |"]))
TEXTS = st.lists(PIECES, max_size=6).map("".join)
ROLES = {"user": "<|user|>", "system": "<|user|>", "assistant": "<|assistant|>"}
CHATS = st.lists(st.tuples(st.sampled_from(sorted(ROLES)), TEXTS), min_size=1, max_size=4).map(
    lambda turns: [{"role": role, "content": text} for role, text in turns]
)


def broken_up(text: str) -> str:
    """Return a text as the template writes it: its control tokens in pieces."""
    return text.replace("<|", "< |")


@given(st.text() | TEXTS)
@settings(max_examples=300)
def test_any_text_comes_back_as_it_was(tokenizer: Any, text: str) -> None:
    assert tokenizer.decode(tokenizer(text)["input_ids"]) == text


def test_nothing_is_unknown_to_a_tokenizer_that_has_seen_no_letter_of_it(documents: list[str]) -> None:
    tokenizer = train_tokenizer(["aaa"], 300, 64)
    text = "\N{SNOWMAN} \N{GRINNING FACE} \u00e9\x00\r\n\ta"
    ids = tokenizer(text)["input_ids"]
    assert tokenizer.unk_token_id is None
    assert len(ids) == len(text.encode())
    assert tokenizer.decode(ids) == text


def test_the_tokenizer_has_the_size_of_the_recipe_and_uses_it(
    tokenizer: Any, recipe: Recipe, documents: list[str]
) -> None:
    assert len(tokenizer) == recipe.tokenizer.vocab_size
    assert tokenizer.model_max_length == recipe.model.context
    used = {token for text in documents for token in tokenizer(text)["input_ids"]}
    assert max(used) == len(tokenizer) - 1


def test_each_special_token_is_one_id_of_its_own(tokenizer: Any) -> None:
    ids = [tokenizer(token)["input_ids"] for token in SPECIAL]
    assert [len(one) for one in ids] == [1] * len(SPECIAL)
    assert len({one[0] for one in ids}) == len(SPECIAL)


@pytest.mark.parametrize("token", SPECIAL)
def test_a_special_token_can_be_left_out_of_a_reply_that_is_read(tokenizer: Any, token: str) -> None:
    assert tokenizer.decode(tokenizer(f"Hi.{token}")["input_ids"], skip_special_tokens=True) == "Hi."


def test_padding_is_neither_the_end_of_a_document_nor_of_a_reply(documents: list[str]) -> None:
    tokenizer = train_tokenizer(documents[:20], 300, 64)
    document_end, reply_end, pad = tokenizer.convert_tokens_to_ids([DOCUMENT_END, REPLY_END, PAD])
    assert tokenizer.eos_token_id == document_end
    assert tokenizer.pad_token_id == pad
    assert pad not in (document_end, reply_end)


def test_the_same_text_gives_the_same_tokenizer(documents: list[str]) -> None:
    one, other = (train_tokenizer(documents, 400, 64).backend_tokenizer.to_str() for _ in range(2))
    assert one == other


def test_a_chat_reads_as_the_roles_say(tokenizer: Any) -> None:
    chat = [{"role": "user", "content": "Hello!"}, {"role": "assistant", "content": "Hi."}]
    assert tokenizer.apply_chat_template(chat, tokenize=False) == "<|user|>Hello!<|end|><|assistant|>Hi.<|end|>"
    prompt = tokenizer.apply_chat_template(chat[:1], tokenize=False, add_generation_prompt=True)
    assert prompt == "<|user|>Hello!<|end|><|assistant|>"


@given(CHATS, st.booleans())
@settings(max_examples=200)
def test_control_tokens_stand_only_where_the_roles_need_them(tokenizer: Any, chat: Any, asks: bool) -> None:
    ids = tokenizer.apply_chat_template(chat, add_generation_prompt=asks)["input_ids"]
    needed = [token for message in chat for token in (ROLES[message["role"]], REPLY_END)]
    needed += ["<|assistant|>"] if asks else []
    special = set(tokenizer.convert_tokens_to_ids(list(SPECIAL)))
    assert [token for token in ids if token in special] == tokenizer.convert_tokens_to_ids(needed)


@given(CHATS)
def test_a_message_reaches_the_model_whole_but_for_its_control_tokens(tokenizer: Any, chat: Any) -> None:
    rendered = tokenizer.apply_chat_template(chat, tokenize=False)
    assert rendered == "".join(f"{ROLES[m['role']]}{broken_up(m['content'])}{REPLY_END}" for m in chat)


@given(CHATS, st.booleans())
def test_plain_jinja_renders_what_transformers_does(tokenizer: Any, chat: Any, asks: bool) -> None:
    plain = jinja2.Environment(autoescape=False).from_string(CHAT_TEMPLATE)
    expected = tokenizer.apply_chat_template(chat, add_generation_prompt=asks, tokenize=False)
    assert plain.render(messages=chat, add_generation_prompt=asks) == expected


def test_templates_that_ship_are_the_plain_one() -> None:
    shipped = [path for path in CHECKPOINTS.glob("*/*/chat_template.jinja") if path.parent.parent.name != "open"]
    assert shipped
    assert {path.read_text(encoding="utf-8") for path in shipped} == {CHAT_TEMPLATE}


@given(TEXTS, TEXTS)
def test_a_rendered_prompt_is_where_prompt_and_reply_begin(tokenizer: Any, prompt: str, reply: str) -> None:
    asked = [{"role": "user", "content": prompt}]
    said = [{"role": "assistant", "content": reply}]
    start = tokenizer.apply_chat_template(asked, add_generation_prompt=True)["input_ids"]
    whole = tokenizer.apply_chat_template(asked + said)["input_ids"]
    assert whole[: len(start)] == start
    assert tokenizer.decode(whole[len(start) :]) == broken_up(reply) + REPLY_END


def test_the_template_survives_being_saved(tokenizer: Any, tmp_path: Any) -> None:
    from transformers import AutoTokenizer

    tokenizer.save_pretrained(tmp_path)
    again = AutoTokenizer.from_pretrained(tmp_path)
    assert again.chat_template == CHAT_TEMPLATE
    assert (again.eos_token, again.pad_token) == (REPLY_END, PAD)
    text = "A <|pad|> \N{SNOWMAN}  b"
    assert again(text)["input_ids"] == tokenizer(text)["input_ids"]
    assert again.decode(again(text)["input_ids"]) == text
    assert again.padding_side == "left"


@pytest.mark.parametrize("token", SPECIAL)
def test_no_special_token_stands_in_the_corpus(documents: list[str], token: str) -> None:
    assert not any(token in text for text in documents)
