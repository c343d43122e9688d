"""Models are loaded in float32; those to ask go to the graphics card, those to train stay."""

from pathlib import Path
from typing import Any

import jinja2
import jinja2.ext
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from training.runs import loading
from training.runs.loading import (
    load_as_saved,
    load_language_model,
    load_reward_model,
    load_tokenizer,
    plain_template,
    to_evaluate,
)


class AssistantTracker(jinja2.ext.Extension):
    """The tag of transformers that marks what a model writes, as its own environment has it."""

    tags = {"generation"}  # noqa: RUF012 - as jinja2 wants it

    def parse(self, parser: Any) -> Any:
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return jinja2.nodes.CallBlock(self.call_method("_said"), [], [], body).set_lineno(line)

    def _said(self, caller: Any) -> Any:
        return caller()


class Model:
    """Remembers where it was moved to."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def to(self, device: str) -> "Model":
        self.calls.append(device)
        return self

    def eval(self) -> "Model":
        self.calls.append("eval")
        return self


@pytest.fixture
def saved(tmp_path: Path, make_model: Any, tokenizer: Any) -> Path:
    model = make_model(seed=1)
    model.half().save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    return tmp_path


@pytest.mark.parametrize(("has_gpu", "device"), [(True, "cuda"), (False, "cpu")])
def test_a_model_to_ask_goes_to_the_graphics_card_where_there_is_one(
    monkeypatch: pytest.MonkeyPatch, has_gpu: bool, device: str
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: has_gpu)
    model: Any = Model()
    assert to_evaluate(model) is model
    assert model.calls == [device, "eval"]


@pytest.mark.parametrize("load", [load_language_model, load_reward_model])
def test_a_model_to_train_stays_where_it_was_loaded(saved: Path, monkeypatch: pytest.MonkeyPatch, load: Any) -> None:
    moved: list[Any] = []
    monkeypatch.setattr(loading, "to_evaluate", lambda model: moved.append(model) or model)
    assert load(saved, to_train=True).dtype == torch.float32
    assert moved == []
    assert load(saved).dtype == torch.float32
    assert len(moved) == 1


def test_a_reward_model_of_a_language_model_has_one_score(saved: Path) -> None:
    model = load_reward_model(saved)
    assert model.config.num_labels == 1
    assert not model.training


def test_what_was_saved_comes_back_in_its_own_class(saved: Path, make_model: Any, tokenizer: Any) -> None:
    assert type(load_as_saved(saved)) is type(make_model())
    assert load_tokenizer(saved).get_vocab() == tokenizer.get_vocab()


def test_adapters_are_merged(saved: Path, tmp_path: Path) -> None:
    from peft import LoraConfig, get_peft_model

    plain = load_language_model(saved, to_train=True)
    adapted = get_peft_model(plain, LoraConfig(r=2, target_modules="all-linear", task_type="CAUSAL_LM"))
    folder = tmp_path / "adapters"
    adapted.save_pretrained(folder)
    merged = load_language_model(folder)
    assert type(merged) is type(load_language_model(saved))
    assert not any("lora" in name for name, _ in merged.named_parameters())


MARKED = (
    "{%- for m in messages %}\n  {{- m.role }}:\n  {% generation %} {{ m.content }}\n{%- endgeneration -%}\n<e>\n"
    "{% if m.last %}{%-generation-%} x {%+ endgeneration %}{% endif %}\n{% endfor %}generation {{ 'generation' }}"
)


@given(st.lists(st.fixed_dictionaries({"role": st.text(), "content": st.text(), "last": st.booleans()}), max_size=4))
def test_plain_template_renders_the_same_to_the_byte(chat: list[dict[str, Any]]) -> None:
    settings: dict[str, Any] = {"autoescape": False, "trim_blocks": True, "lstrip_blocks": True}
    marked = jinja2.Environment(extensions=[AssistantTracker], **settings)
    plain = jinja2.Environment(**settings)
    expected = marked.from_string(MARKED).render(messages=chat)
    assert plain.from_string(plain_template(MARKED)).render(messages=chat) == expected


def test_tokenizer_of_others_is_loaded_with_a_plain_template(saved: Path) -> None:
    (saved / "chat_template.jinja").write_text("{% generation %}{{ messages }}{% endgeneration %}")
    assert load_tokenizer(saved).chat_template == "{% if true %}{{ messages }}{% endif %}"
