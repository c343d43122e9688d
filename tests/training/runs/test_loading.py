"""Models are loaded in float32; those to ask go to the graphics card, those to train stay."""

from pathlib import Path
from typing import Any

import pytest
import torch

from training.runs import loading
from training.runs.loading import load_as_saved, load_language_model, load_reward_model, load_tokenizer, to_evaluate


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
