"""From a prompt to tokens: typed text never becomes a control token, with any tokenizer."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from arena.backends.base import BackendError, PromptTooLong
from arena.backends.prompting import Asker, find_control_tokens
from arena.contestants import Sampling
from arena.guard.prompt_checks import PromptRefused
from common.conversation import Conversation
from tests.arena.backends.asked import CHAT, FEW_SHOT
from tests.arena.backends.tokenizers_of import (
    CHATML,
    PLAIN,
    byte_level,
    ordinary,
    special,
    unigram,
    with_bos,
    word_level,
)

STYLES = pytest.mark.parametrize("style", [CHAT, FEW_SHOT], ids=["chat", "few-shot"])


def asker(tokenizer: Any, context: int = 500, vocabulary: int = 10_000) -> Asker:
    return Asker(tokenizer, context=context, vocabulary=vocabulary)


def extra(tokenizer: Any, prompt: str, style: Any) -> list[str]:
    """Return the tokens of a prompt that are not those of the same frame around another prompt, as texts."""
    asks = asker(tokenizer)
    ids, frame = asks.encode(Conversation.ask(prompt), style, 10), asks.encode(Conversation.ask("a"), style, 10)
    added = set(tokenizer.added_tokens_decoder)
    assert [token for token in ids if token in added] == [token for token in frame if token in added]
    return tokenizer.convert_ids_to_tokens(ids)  # type: ignore[no-any-return]


REFUSED: dict[str, tuple[Any, str, str]] = {
    "special, without a role": ((special("<file_sep>"),), "a <file_sep> b", "<file_sep>"),
    "special, an odd name": ((special("<|x y|>"),), "<|x y|>", "<|x y|>"),
    "special, an ordinary word": ((special("assistant:"),), "now assistant: yes", "assistant:"),
    "not special, of thinking": ((ordinary("<think>"), ordinary("</think>")), "</think> so", "</think>"),
    "not special, of tools": ((ordinary("<tool_call>"),), "<tool_call>{}", "<tool_call>"),
    "not special, in brackets": ((ordinary("[TOOL_CALLS]"),), "[TOOL_CALLS]", "[TOOL_CALLS]"),
    "not special, in bars": ((ordinary("|||IP_ADDRESS|||"),), "|||IP_ADDRESS|||", "|||IP_ADDRESS|||"),
    "of another script": ((special("<\uff5cUser\uff5c>"),), "a <\uff5cUser\uff5c>", "<\uff5cUser\uff5c>"),
    "with spaces around it": ((special("<sep>", lstrip=True, rstrip=True),), "a   <sep>   b", "<sep>"),
    "as a whole word": ((special("<sep>", single_word=True),), "a <sep> b", "<sep>"),
    "HTML that does something else": ((special("<think>"), special("<b>")), "<b>bold</b> <think>", "<think>"),
}


@STYLES
@pytest.mark.parametrize("name", REFUSED)
def test_a_control_token_of_the_tokenizers_own_list_is_refused_and_named(name: str, style: Any) -> None:
    added, prompt, token = REFUSED[name]
    with pytest.raises(PromptRefused) as caught:
        asker(byte_level(*added)).encode(Conversation.ask(prompt), style, 10)
    assert repr(token) in str(caught.value)


@STYLES
def test_a_control_token_in_compatibility_forms_is_refused(style: Any) -> None:
    tokenizer = byte_level(special("<sep>", normalized=True), normalizer=normalizers.NFKC())
    wide = "\uff1c\uff53\uff45\uff50\uff1e"
    with pytest.raises(PromptRefused, match="'<sep>' is a control token"):
        asker(tokenizer).encode(Conversation.ask(f"a {wide} b"), style, 10)
    exact = byte_level(special("<sep>"), normalizer=normalizers.NFKC())  # to which the wide form is text
    assert asker(exact).encode(Conversation.ask(f"a {wide} b"), style, 10)


def test_a_control_token_that_a_template_would_break_up_is_refused_all_the_same() -> None:
    template = CHATML.replace("m['content']", "m['content'] | replace('<', '< ')")
    with pytest.raises(PromptRefused, match="'<file_sep>'"):
        asker(byte_level(special("<file_sep>"), template=template)).encode(Conversation.ask("<file_sep>"), CHAT, 10)


def test_a_control_token_that_a_template_would_put_together_is_refused() -> None:
    template = CHATML.replace("m['content']", "m['content'] | replace('~', '')")
    with pytest.raises(PromptRefused, match="'<file_sep>'"):
        asker(byte_level(special("<file_sep>"), template=template)).encode(Conversation.ask("<file~_sep>"), CHAT, 10)


def test_a_prompt_that_takes_a_control_token_of_the_frame_away_is_refused() -> None:
    tokenizer = byte_level(ordinary("x<|im_end|>"))
    with pytest.raises(PromptRefused, match="control token"):
        asker(tokenizer).encode(Conversation.ask("the letter x"), CHAT, 10)


ORDINARY: dict[str, tuple[Any, str]] = {
    "a word": ((ordinary("hello"),), "hello hello"),
    "runs of spaces": ((ordinary("    "), ordinary("\t\t")), "if x:\n        y\n\t\tz"),
    "HTML that is not special": ((ordinary("<h1>"), ordinary("</h1>"), ordinary("<br />")), "<h1>Hi</h1><br />"),
    "a piece of code": ((ordinary("[]"), ordinary("{}"), ordinary("||")), "a[] || {}"),
    "not a whole word": ((special("sep", single_word=True),), "a separate thing"),
    "nearly a control token": ((special("<file_sep>"),), "<file_se> <file sep> file_sep>"),
}


@STYLES
@pytest.mark.parametrize("name", ORDINARY)
def test_what_is_no_control_token_is_encoded_as_the_tokenizer_does(name: str, style: Any) -> None:
    added, prompt = ORDINARY[name]
    tokenizer = byte_level(*added)
    ids = asker(tokenizer).encode(Conversation.ask(prompt), style, 10)
    document = {
        "chat": f"<|im_start|>user\n{prompt}<|im_end|>\n<|im_start|>assistant\n",
        "few-shot": f"Question: Up?\nAnswer: Down.\n\nQuestion: {prompt}\nAnswer:",
    }[style.style]
    assert ids == tokenizer(document)["input_ids"]


HTML = ["What is <s> in HTML?", "<s>", "</s>", "a <s>b</s> <s>c</s>", "<s><s>", "[INST] <s>"]


@STYLES
@pytest.mark.parametrize("prompt", HTML)
@pytest.mark.parametrize(
    "tokenizer",
    [with_bos(), with_bos("always"), with_bos(normalized=True), unigram()],
    ids=["first", "always", "normalized", "unigram"],
)
def test_control_tokens_that_are_html_too_reach_the_model_as_text(tokenizer: Any, prompt: str, style: Any) -> None:
    texts = extra(tokenizer, prompt, style)
    assert prompt.replace(" ", "") in "".join(texts).replace("\u2581", "")


def test_html_of_a_chat_format_is_text_beside_the_control_tokens_of_the_frame() -> None:
    tokenizer = byte_level(special("<s>"), special("<video>"))
    texts = extra(tokenizer, "Is <video> like <s>?", CHAT)
    assert texts[0] == "<|im_start|>"
    decoded = tokenizer.decode(asker(tokenizer).encode(Conversation.ask("Is <video> like <s>?"), CHAT, 10))
    assert decoded == "<|im_start|>user\nIs <video> like <s>?<|im_end|>\n<|im_start|>assistant\n"


TOKENIZERS = {"first": with_bos(), "always": with_bos("always"), "unigram": unigram()}


@given(st.sampled_from(sorted(TOKENIZERS)), st.text(alphabet="ab<>/s [INST]\n\u00e9", max_size=20), st.booleans())
def test_the_copy_for_html_writes_what_the_tokenizer_itself_writes(name: str, prompt: str, is_chat: bool) -> None:
    tokenizer, style = TOKENIZERS[name], CHAT if is_chat else FEW_SHOT
    asks = asker(tokenizer)
    prompt = prompt.replace("<s>", "").replace("</s>", "")
    before, _, after = asks._write(Conversation.ask(asks._word), style, 1).partition(asks._word)
    assert asks._plain is not None
    copied = asks._plain.encode(asks._rename(before) + prompt + asks._rename(after), add_special_tokens=not is_chat)
    assert copied.ids == tokenizer(before + prompt + after, add_special_tokens=not is_chat)["input_ids"]


def test_where_no_copy_can_be_made_html_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    tokenizer = with_bos()
    monkeypatch.setattr(type(tokenizer), "is_fast", property(lambda self: False))
    asks = asker(tokenizer)
    with pytest.raises(PromptRefused, match="'<s>' is a control token"):
        asks.encode(Conversation.ask("What is <s>?"), CHAT, 10)
    assert asks.encode(Conversation.ask("What is s?"), CHAT, 10)


def test_the_token_of_what_is_unknown_is_no_control_token() -> None:
    tokenizer = word_level()
    ids = asker(tokenizer).encode(Conversation.ask("what is \u00e9 ?"), CHAT, 10)
    assert tokenizer.unk_token_id in ids
    with pytest.raises(PromptRefused, match="'<eos>'"):
        asker(tokenizer).encode(Conversation.ask("what is <eos> ?"), CHAT, 10)


def test_a_token_for_the_unknown_that_ends_texts_too_is_one() -> None:
    tokenizer = byte_level()
    tokenizer.unk_token = "<|im_end|>"
    assert tokenizer.unk_token_id in find_control_tokens(tokenizer)[0]


def test_every_special_token_is_a_control_token_and_no_ordinary_one() -> None:
    tokenizer = byte_level(special("<file_sep>"), ordinary("<think>"), ordinary("  "), ordinary("<b>"), special("<s>"))
    control, markup = find_control_tokens(tokenizer)
    assert set(control.values()) == {"<|im_start|>", "<|im_end|>", "<file_sep>", "<think>"}
    assert set(markup.values()) == {"<s>"}


@pytest.mark.parametrize("kind", ["GPT2Tokenizer", "Qwen2Tokenizer", "GemmaTokenizer", "BertTokenizer"])
def test_a_tokenizer_made_from_nothing_is_refused(kind: str) -> None:
    import transformers

    with pytest.raises(BackendError, match="no vocabulary"):
        asker(getattr(transformers, kind)())


def test_a_tokenizer_of_a_few_letters_is_not_empty() -> None:
    model = Tokenizer(models.WordLevel({letter: n for n, letter in enumerate("0123456789+=")}))
    model.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    assert asker(PreTrainedTokenizerFast(tokenizer_object=model)).tokenizer("1+1=")["input_ids"] == [1, 10, 1, 11]


def test_a_token_without_an_embedding_is_refused_before_it_reaches_the_model() -> None:
    tokenizer = byte_level()
    with pytest.raises(BackendError, match=r"writes token \d+, but its weights hold 290 only"):
        asker(tokenizer, vocabulary=290).encode(Conversation.ask("What?"), CHAT, 10)


TEMPLATES = {
    "none": (None, "fails on a plain prompt"),
    "raises": ("{{ raise_exception('system first') }}", "fails on a plain prompt: system first"),
    "divides by zero": ("{{ 1 / 0 }}", "fails on a plain prompt"),
    "no Jinja": ("{% for m in messages %}", "fails on a plain prompt"),
    "asks for what is not there": ("{{ messages[7]['content'] }}", "fails on a plain prompt"),
    "leaves the prompt out": ("Hello! {{ messages | length }}", "leaves the prompt out"),
    "looks at the length only": ("{{ messages[0]['content'] | length }}", "leaves the prompt out"),
}


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_template_that_cannot_ask_is_refused(name: str) -> None:
    template, reason = TEMPLATES[name]
    with pytest.raises(BackendError, match=reason):
        asker(byte_level(template=template)).require_template()


def test_a_template_that_can_ask_is_let_in() -> None:
    asker(byte_level(template=PLAIN)).require_template()


def test_a_prompt_of_one_letter_that_does_not_fit_is_refused_too() -> None:
    with pytest.raises(PromptTooLong) as caught:
        asker(byte_level(), context=20).check(Conversation.ask("a"), CHAT, Sampling(max_tokens=19))
    assert caught.value.room == 0


def test_a_prompt_whose_letters_take_no_tokens_breaks_nothing() -> None:
    template = "{{ messages[0]['content'][:1] }}" + " word" * 30
    with pytest.raises(PromptTooLong):
        asker(byte_level(template=template), context=40).check(
            Conversation.ask("abc" * 30), CHAT, Sampling(max_tokens=20)
        )


TALK = Conversation.of(["Why is <s> up?", "And </s>?"], ["It is <b>so</b> <s>."], "Be brief <s>.")


def test_every_message_of_a_conversation_is_asked_and_none_becomes_a_control_token() -> None:
    tokenizer = byte_level(special("<s>"), special("</s>"), special("<file_sep>"), template=CHATML)
    ids = asker(tokenizer).encode(TALK, CHAT, 10)
    text = tokenizer.decode(ids)
    assert [said.content in text for said in TALK.messages] == [True] * 4
    places = [text.index(said.content) for said in TALK.messages]
    assert places == sorted(places)
    frame = asker(tokenizer).encode(Conversation.of(["a", "b"], ["c"], "Be brief <s>."), CHAT, 10)
    for token in ("<s>", "</s>"):
        number = tokenizer.convert_tokens_to_ids(token)
        assert ids.count(number) == frame.count(number)


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_control_token_anywhere_in_a_conversation_is_refused(place: int) -> None:
    said = ["Why?", "So.", "And?"]
    said[place] += " <file_sep>"
    talk = Conversation.of([said[0], said[2]], [said[1]])
    with pytest.raises(PromptRefused, match="<file_sep>"):
        asker(byte_level(special("<file_sep>"), template=CHATML)).encode(talk, CHAT, 10)


def test_in_a_few_shot_document_earlier_turns_follow_the_examples() -> None:
    asks = asker(byte_level())
    text = asks.tokenizer.decode(asks.encode(Conversation.of(["Hot?", "Wet?"], ["Cold."]), FEW_SHOT, 10))
    assert text == "Question: Up?\nAnswer: Down.\n\nQuestion: Hot?\nAnswer: Cold.\n\nQuestion: Wet?\nAnswer:"


@pytest.mark.parametrize(
    ("template", "problem"),
    [
        (
            "{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('no system here') }}{% endif %}"
            "{{ m.content }}{% endfor %}",
            r"takes no system message \(no system here\): take system out",
        ),
        (
            "{% for m in messages %}{% if m.role != 'system' %}{{ m.content }}{% endif %}{% endfor %}",
            "leaves the system message out: take system out",
        ),
    ],
)
def test_a_template_that_does_not_take_a_system_message_is_named(template: str, problem: str) -> None:
    asks = asker(byte_level(template=template))
    assert asks.encode(Conversation.ask("Why?"), CHAT, 10)
    with pytest.raises(BackendError, match=problem):
        asks.encode(Conversation.ask("Why?", "Be brief."), CHAT, 10)


def test_a_template_that_takes_a_system_message_is_asked_only_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asks = asker(byte_level(template=CHATML))
    first = asks.encode(Conversation.ask("Why?", "Be brief."), CHAT, 10)
    monkeypatch.setattr(asks, "_systems", frozenset(asks._systems))
    assert asks.encode(Conversation.ask("Why?", "Be brief."), CHAT, 10) == first
