"""GGUF files are looked at before they are loaded: magic, architecture, tokenizer, chat template, length."""

from pathlib import Path

import pytest

from arena.checkpoints.architecture import read_causal_classes
from arena.checkpoints.gguf import read_gguf, read_gguf_types
from arena.checkpoints.weights import Unfit
from tests.arena.helpers.adapters import make_gguf

CAUSAL = read_causal_classes()


def test_a_file_tells_its_type_and_its_context(tmp_path: Path) -> None:
    found = read_gguf(make_gguf(tmp_path / "m.gguf"), CAUSAL, is_chat=True)
    assert found == {"model_type": "llama", "max_position_embeddings": 64}


def test_llama_cpps_spelling_of_an_architecture_is_understood(tmp_path: Path) -> None:
    assert read_gguf(make_gguf(tmp_path / "m.gguf", "qwen2moe"), CAUSAL, is_chat=True)["model_type"] == "qwen2_moe"


@pytest.mark.parametrize("architecture", ["abacus", "t5", "general"])
def test_an_architecture_that_transformers_does_not_know_is_refused_by_name(tmp_path: Path, architecture: str) -> None:
    with pytest.raises(Unfit, match=f"architecture '{architecture}', which transformers cannot load.*llamacpp"):
        read_gguf(make_gguf(tmp_path / "m.gguf", architecture), CAUSAL, is_chat=True)


def test_a_file_without_a_template_can_be_asked_in_the_style_few_shot_only(tmp_path: Path) -> None:
    file = make_gguf(tmp_path / "m.gguf", template=None)
    assert read_gguf(file, CAUSAL, is_chat=False)
    with pytest.raises(Unfit, match="no chat template"):
        read_gguf(file, CAUSAL, is_chat=True)


def test_a_file_that_is_cut_off_anywhere_is_refused(tmp_path: Path) -> None:
    content = make_gguf(tmp_path / "m.gguf").read_bytes()
    for size in range(0, len(content), 7):
        (tmp_path / "m.gguf").write_bytes(content[:size])
        with pytest.raises(Unfit, match=r"damaged or cut off|not a folder, nor a GGUF file|names no architecture"):
            read_gguf(tmp_path / "m.gguf", CAUSAL, is_chat=True)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"GGU", b"version https://git-lfs.github.com/spec/v1"])
def test_what_is_no_gguf_file_is_refused_by_its_first_bytes(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "m.gguf").write_bytes(content)
    with pytest.raises(Unfit, match=r"nor a GGUF file|git lfs pull"):
        read_gguf(tmp_path / "m.gguf", CAUSAL, is_chat=True)


def test_the_list_of_types_is_that_of_transformers() -> None:
    types = read_gguf_types(CAUSAL)
    assert types is not None
    assert {"llama", "qwen2", "qwen3", "gemma3"} <= set(types)
    assert "t5" not in types
