"""A checkpoint is loaded completely or not at all, and every request to a broken one reports the reason."""

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from arena.backends.base import BackendError
from arena.backends.local import TransformersBackend
from arena.checkpoints.checkpoint import read_checkpoint
from arena.checkpoints.gguf import read_gguf
from arena.checkpoints.weights import Unfit
from arena.contestants import Sampling
from common.conversation import Conversation
from common.weights import hash_files
from tests.arena.backends.asked import CHAT, FEW_SHOT, ask, change_weights, copy_checkpoint, read, replies, run
from tests.arena.helpers.adapters import make_llama_gguf
from tests.arena.helpers.played import PATIENCE
from training.stages.tokenizer import CHAT_TEMPLATE

pytestmark = pytest.mark.slow


def refusal(folder: Path, style: Any = CHAT) -> str:
    """Return why a checkpoint answers nobody."""
    backend = TransformersBackend(folder)
    with pytest.raises(BackendError) as caught:
        run(load_and_check(backend, style))
    with pytest.raises(BackendError, match=r"cannot be|no chat"):
        replies(backend, ask(style=style))
    backend.close()
    backend._engine._thread.join(PATIENCE)
    assert not backend._engine._thread.is_alive()
    message = str(caught.value)
    assert message.startswith(str(folder))
    assert "\n" not in message
    return message


async def load_and_check(backend: TransformersBackend, style: Any) -> None:
    await backend.load()
    await backend.check(Conversation.ask("Hi"), style, Sampling())


def answers(folder: Path, style: Any = CHAT) -> str:
    """Return what a checkpoint writes."""
    backend = TransformersBackend(folder)
    [reply] = replies(backend, ask(style=style))
    backend.close()
    assert reply.tokens > 0
    return str(reply.text)


def test_a_checkpoint_that_cannot_be_loaded_says_so_to_everyone(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    assert "cannot be loaded" in refusal(tmp_path)


def test_a_checkpoint_with_damaged_weights_says_so(checkpoint: Path, tmp_path: Path) -> None:
    copy_checkpoint(checkpoint, tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"no weights")
    assert "cannot be loaded" in refusal(tmp_path)


def test_weights_that_lack_tensors_are_refused_by_name(checkpoint: Path, tmp_path: Path) -> None:
    copy_checkpoint(checkpoint, tmp_path)
    change_weights(tmp_path, lambda tensors: tensors.pop("model.layers.1.mlp.up_proj.weight"))
    assert "its weights lack model.layers.1.mlp.up_proj.weight: take complete weights" in refusal(tmp_path)
    read_checkpoint(tmp_path, None, is_chat=True)  # the files alone do not show it


def test_of_many_missing_tensors_a_few_are_named(checkpoint: Path, tmp_path: Path) -> None:
    copy_checkpoint(checkpoint, tmp_path, num_hidden_layers=4)
    message = refusal(tmp_path)
    assert "lack model.layers.2.input_layernorm.weight" in message
    assert "more: take" in message


def test_a_head_that_is_tied_to_the_embedding_is_not_missing(checkpoint: Path, tmp_path: Path) -> None:
    copy_checkpoint(checkpoint, tmp_path, tie_word_embeddings=True)
    change_weights(tmp_path, lambda tensors: tensors.pop("lm_head.weight"))
    assert answers(tmp_path)


def test_a_head_that_is_not_tied_must_be_there(checkpoint: Path, tmp_path: Path) -> None:
    copy_checkpoint(checkpoint, tmp_path)
    change_weights(tmp_path, lambda tensors: tensors.pop("lm_head.weight"))
    assert "its weights lack lm_head.weight" in refusal(tmp_path)


def test_tensors_of_another_shape_are_refused_by_name(checkpoint: Path, tmp_path: Path) -> None:
    copy_checkpoint(checkpoint, tmp_path, intermediate_size=48)
    message = refusal(tmp_path)
    assert "its config.json gives another shape to model.layers.0.mlp.down_proj.weight" in message


def test_an_adapter_among_the_weights_is_refused(checkpoint: Path, tmp_path: Path) -> None:
    copy_checkpoint(checkpoint, tmp_path)
    name = "model.layers.0.self_attn.q_proj"
    change_weights(tmp_path, lambda t: t.update({f"{name}.lora_A.weight": t[f"{name}.weight"][:2].clone()}))
    assert "an adapter that would be left out" in refusal(tmp_path)


def test_what_a_training_left_among_the_weights_is_left_out(
    checkpoint: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    copy_checkpoint(checkpoint, tmp_path)
    change_weights(
        tmp_path, lambda tensors: tensors.update({"v_head.summary.weight": tensors["model.norm.weight"].clone()})
    )
    with caplog.at_level(logging.WARNING):
        assert answers(tmp_path) == answers(checkpoint)
    assert "v_head.summary.weight in its weights are not part of the model" in caplog.text


def test_weights_that_are_no_numbers_write_no_reply(checkpoint: Path, tmp_path: Path) -> None:
    copy_checkpoint(checkpoint, tmp_path)
    change_weights(tmp_path, lambda tensors: tensors["model.norm.weight"].fill_(float("nan")))
    backend = TransformersBackend(tmp_path)
    run(backend.check(Conversation.ask("Hi"), CHAT, Sampling()))
    with pytest.raises(BackendError, match="computes NaN or infinite values"):
        replies(backend, ask())
    backend.close()


def test_a_prompt_that_meets_a_damaged_part_does_not_disturb_the_others(checkpoint: Path, tmp_path: Path) -> None:
    copy_checkpoint(checkpoint, tmp_path)
    backend = TransformersBackend(checkpoint)
    [whole] = replies(backend, ask("Hot?", max_tokens=8, seed=2))
    [letter] = backend._engine.asker.tokenizer("\u20ac")["input_ids"][:1]
    backend.close()
    change_weights(tmp_path, lambda tensors: tensors["model.embed_tokens.weight"][letter].fill_(float("nan")))

    async def both() -> list[Any]:
        import asyncio

        asked = ask("\u20ac?", max_tokens=8), ask("Hot?", max_tokens=8, seed=2)
        return await asyncio.gather(*(read(damaged, each) for each in asked), return_exceptions=True)

    damaged = TransformersBackend(tmp_path)
    failed, (_, reply) = run(both())
    damaged.close()
    assert isinstance(failed, BackendError)
    assert reply.text == whole.text


TEMPLATES = {
    "raises": ("{{ raise_exception('a system prompt first') }}", "a system prompt first"),
    "is no Jinja": ("{% if %}", "its chat template fails on a plain prompt"),
    "leaves the prompt out": ("Say something.", "leaves the prompt out"),
}


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_template_that_cannot_ask_is_refused_and_the_weights_are_asked_by_examples(
    checkpoint: Path, tmp_path: Path, name: str
) -> None:
    template, reason = TEMPLATES[name]
    copy_checkpoint(checkpoint, tmp_path)
    (tmp_path / "chat_template.jinja").write_text(template)
    message = refusal(tmp_path)
    assert "cannot be asked in the style chat" in message
    assert reason in message
    assert answers(tmp_path, FEW_SHOT) == answers(checkpoint, FEW_SHOT)


def test_a_template_that_fails_on_some_prompts_is_the_backends_own_error(checkpoint: Path, tmp_path: Path) -> None:
    copy_checkpoint(checkpoint, tmp_path)
    broken = "{% if 'x' in messages[0]['content'] %}{{ raise_exception('no x') }}{% endif %}" + CHAT_TEMPLATE
    (tmp_path / "chat_template.jinja").write_text(broken)
    backend = TransformersBackend(tmp_path)
    run(backend.check(Conversation.ask("Hi"), CHAT, Sampling()))
    for attempt in (backend.check(Conversation.ask("x"), CHAT, Sampling()), read(backend, ask("x"))):
        with pytest.raises(BackendError, match="cannot be asked this prompt: no x"):
            run(attempt)
    backend.close()


def test_a_checkpoint_without_a_template_answers_by_examples_only(checkpoint: Path, tmp_path: Path) -> None:
    copy_checkpoint(checkpoint, tmp_path)
    (tmp_path / "chat_template.jinja").unlink()
    assert "no chat template" in refusal(tmp_path)
    assert answers(tmp_path, FEW_SHOT) == answers(checkpoint, FEW_SHOT)


def test_a_template_that_transformers_does_not_look_for_is_used(checkpoint: Path, tmp_path: Path) -> None:
    copy_checkpoint(checkpoint, tmp_path)
    (tmp_path / "chat_template.jinja").rename(tmp_path / "template.txt")
    (tmp_path / "chat_template.json").write_text(json.dumps({"chat_template": CHAT_TEMPLATE}))
    assert answers(tmp_path) == answers(checkpoint)


def test_of_several_templates_the_default_is_used(checkpoint: Path, tmp_path: Path) -> None:
    copy_checkpoint(checkpoint, tmp_path)
    (tmp_path / "additional_chat_templates").mkdir()
    (tmp_path / "additional_chat_templates" / "rag.jinja").write_text("another")
    assert answers(tmp_path) == answers(checkpoint)


def test_a_tokenizer_that_transformers_makes_from_nothing_is_refused(checkpoint: Path, tmp_path: Path) -> None:
    copy_checkpoint(checkpoint, tmp_path)
    (tmp_path / "tokenizer.json").unlink()
    (tmp_path / "tokenizer_config.json").write_text('{"tokenizer_class": "GPT2Tokenizer"}')
    assert "its tokenizer has no vocabulary" in refusal(tmp_path)


def test_pickled_weights_are_not_read(checkpoint: Path, tmp_path: Path) -> None:
    import torch
    from safetensors.torch import load_file

    copy_checkpoint(checkpoint, tmp_path)
    torch.save(load_file(tmp_path / "model.safetensors"), tmp_path / "pytorch_model.bin")
    (tmp_path / "model.safetensors").unlink()
    assert "cannot be loaded" in refusal(tmp_path)


def test_an_adapter_is_merged_as_its_refusal_says(checkpoint: Path, tmp_path: Path) -> None:
    from peft import AutoPeftModelForCausalLM, LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM, AutoTokenizer

    adapter, merged = tmp_path / "adapter", tmp_path / "merged"
    model = AutoModelForCausalLM.from_pretrained(checkpoint, local_files_only=True)
    options = LoraConfig(r=2, target_modules="all-linear", task_type="CAUSAL_LM", init_lora_weights=False)
    get_peft_model(model, options).save_pretrained(adapter)
    AutoTokenizer.from_pretrained(checkpoint, local_files_only=True).save_pretrained(adapter)
    with pytest.raises(Unfit, match="an adapter without its base") as caught:
        read_checkpoint(adapter, None, is_chat=True)
    for words in ("AutoPeftModelForCausalLM", "merge_and_unload", "save_pretrained", "copy the tokenizer"):
        assert words in str(caught.value)
    AutoPeftModelForCausalLM.from_pretrained(adapter).merge_and_unload().save_pretrained(merged)
    AutoTokenizer.from_pretrained(adapter, local_files_only=True).save_pretrained(merged)
    read_checkpoint(merged, None, is_chat=True)
    assert answers(merged) != answers(checkpoint)


def test_a_gguf_file_writes_what_the_folder_it_was_made_from_writes(checkpoint: Path, tmp_path: Path) -> None:
    file = make_llama_gguf(tmp_path / "model.gguf", checkpoint)
    read_gguf(file, None, is_chat=True)
    one, other = TransformersBackend(checkpoint), TransformersBackend(file)
    for prompt in ("What is hot?", "Mia"):
        [wanted], [found] = (replies(each, ask(prompt, temperature=0.0)) for each in (one, other))
        assert (found.text, found.tokens) == (wanted.text, wanted.tokens)
    assert found.recipe["weights"] == hash_files([file])
    one.close()
    other.close()
