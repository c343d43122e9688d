"""Which checkpoints write text, by config.json alone."""

import importlib.util
from typing import Any

import pytest

from arena.checkpoints.architecture import find_unfitness, read_causal_classes

CAUSAL = {"llama": "LlamaForCausalLM", "gpt2": "GPT2LMHeadModel", "rwkv": "RwkvModel"}


@pytest.mark.parametrize(
    "config",
    [
        {"model_type": "llama", "architectures": ["LlamaForCausalLM"]},
        {"model_type": "llama", "architectures": ["llamaforcausallm"]},
        {"model_type": "llama"},
        {"model_type": "llama", "architectures": []},
        {"model_type": "gpt2", "architectures": ["GPT2LMHeadModel"]},
        {"model_type": "rwkv", "architectures": ["RwkvModel"]},
        {"model_type": "llama", "architectures": ["XForConditionalGeneration"], "text_config": {}},
        {
            "model_type": "llama",
            "architectures": ["XForConditionalGeneration"],
            "text_config": {},
            "is_encoder_decoder": False,
        },
    ],
)
def test_causal_language_models_are_accepted(config: dict[str, Any]) -> None:
    assert find_unfitness(config, CAUSAL) is None


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ({}, "without a model_type"),
        ({"model_type": 3}, "without a model_type"),
        ({"model_type": "bert"}, "no causal language model"),
        ({"model_type": "own", "auto_map": {"AutoModel": "own.Own"}}, "which is not run here"),
        ({"model_type": "llama", "is_encoder_decoder": True}, "an encoder with a decoder"),
        ({"model_type": "llama", "architectures": "LlamaForCausalLM"}, "name a list of classes"),
        ({"model_type": "llama", "architectures": ["LlamaForSequenceClassification"]}, "(LlamaForCausalLM)"),
        (
            {
                "model_type": "llama",
                "architectures": ["XForConditionalGeneration"],
                "text_config": {},
                "is_encoder_decoder": True,
            },
            "which writes no text",
        ),
    ],
)
def test_everything_else_is_refused_with_a_reason(config: dict[str, Any], reason: str) -> None:
    assert reason in str(find_unfitness(config, CAUSAL))


def test_without_transformers_list_the_saved_class_alone_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert read_causal_classes() is None
    assert find_unfitness({"model_type": "unknown", "architectures": ["UnknownForCausalLM"]}, None) is None
    assert "(...ForCausalLM)" in str(find_unfitness({"model_type": "x", "architectures": ["XModel"]}, None))
