"""A model from outside, made ready and trained on: its tokenizer and template stay."""

import io
import json
from pathlib import Path
from typing import Any

import pytest

from arena.checkpoints.architecture import read_causal_classes
from arena.checkpoints.checkpoint import read_checkpoint
from tests.training.conftest import SMALL, MakePairs
from tests.training.parents.conftest import CHATML, MakeOutside
from training.__main__ import main
from training.parents.adopt import make_ready
from training.runs.loading import load_language_model, load_tokenizer
from training.stages.tokenizer import CHAT_TEMPLATE

HEADS = {"GPT2": "LMHeadModel"}
TINY = [
    word
    for one in (*SMALL, "data.examples=64", "sft.epochs=1", "rl.steps=2", "rl.snapshots=1")
    for word in ("--set", one)
]


def ready(folder: Path) -> tuple[Any, Any]:
    """Return a folder's tokenizer and model after they were made ready."""
    tokenizer, model = load_tokenizer(folder), load_language_model(folder, to_train=True)
    make_ready(tokenizer, model, str(folder))
    return tokenizer, model


@pytest.mark.parametrize("kind", ["Llama", "GPT2", "Qwen2"])
def test_template_stays_and_its_end_ends_replies(make_outside: MakeOutside, kind: str) -> None:
    folder = make_outside(kind, HEADS.get(kind, "ForCausalLM"))
    before = load_tokenizer(folder)
    tokenizer, model = ready(folder)
    assert tokenizer.chat_template == CHATML
    assert before.get_vocab().items() <= tokenizer.get_vocab().items()
    assert tokenizer.eos_token == "<|im_end|>"
    assert model.generation_config.eos_token_id == before.convert_tokens_to_ids(["<|im_end|>", "</s>"])
    assert tokenizer.pad_token_id not in (None, *model.generation_config.eos_token_id)
    assert model.get_input_embeddings().num_embeddings == len(tokenizer) == len(before) + 1


def test_padding_and_spare_embeddings_of_its_own_stay(make_outside: MakeOutside) -> None:
    folder = make_outside(pad="<s>", spare=16, is_tied=False)
    tokenizer, model = ready(folder)
    assert tokenizer.pad_token == "<s>"
    assert model.get_input_embeddings().num_embeddings == len(tokenizer) + 16


def test_padding_that_is_the_end_is_replaced(make_outside: MakeOutside) -> None:
    tokenizer, _ = ready(make_outside(pad="</s>"))
    assert tokenizer.pad_token == "<|pad|>"


def test_model_without_a_template_gets_the_one_of_here(make_outside: MakeOutside) -> None:
    tokenizer, model = ready(make_outside(template=None))
    assert tokenizer.chat_template == CHAT_TEMPLATE
    assert tokenizer.eos_token == "<|end|>"
    assert model.get_input_embeddings().num_embeddings == len(tokenizer)


def test_model_without_a_template_is_finetuned_first(
    make_outside: MakeOutside, tmp_path: Path, capsys: pytest.CaptureFixture[str], make_pairs_folder: MakePairs
) -> None:
    folder = make_outside(template=None)
    pairs = make_pairs_folder([{"prompt": "a", "chosen": "b", "rejected": "c"}] * 2, [])
    words = ["reward", "--model", str(folder), "--pairs", str(pairs), "--out", str(tmp_path / "reward"), *TINY]
    assert main(words) == 2
    assert "has no chat template, so it cannot be asked: finetune it first" in capsys.readouterr().err


def test_template_that_raises_is_one_line(
    make_outside: MakeOutside, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = make_outside(template="{{ raise_exception('no roles here') }}")
    assert main(["sft", "--model", str(folder), "--out", str(tmp_path / "sft"), *TINY]) == 2
    said = capsys.readouterr().err.splitlines()
    assert said[-1].endswith("its chat template cannot be rendered: no roles here")


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "template"), [("Qwen2", CHATML), ("GPT2", None)])
def test_whole_round_from_a_model_of_others_and_a_second_one(
    make_outside: MakeOutside,
    make_pairs_folder: MakePairs,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    kind: str,
    template: str | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("Hi!\n"))
    folder = make_outside(kind, HEADS.get(kind, "ForCausalLM"), template=template, shard="50KB", is_tied=False)
    rows = [{"prompt": f"Is it {i}?", "chosen": "Yes.", "rejected": "No, no."} for i in range(24)]
    pairs = make_pairs_folder(rows[:16], rows[16:])
    family = tmp_path / "family"

    def run(command: str, name: str, *words: object) -> None:
        code = main([command, "--out", str(family / name), *map(str, words)])
        assert code == 0, capsys.readouterr().err

    run("sft", "sft", "--model", folder, *TINY)
    record = json.loads((family / "sft" / "stage.json").read_text())
    assert record["parent"]["name"] == str(folder)
    assert record["parent"]["weights"].startswith("sha256:")
    assert load_tokenizer(family / "sft").chat_template == (template or CHAT_TEMPLATE)
    assert not (family / "sft.adopted").exists()
    start = folder if template else family / "sft"
    settings = TINY if template else []
    run("reward", "reward", "--model", start, "--pairs", pairs, *settings)
    run("rl", "rlhf", "--model", start, "--reward", family / "reward", *settings)
    again = ["--model", family / "rlhf"]
    assert main(["reward", "--out", str(family / "no"), "--pairs", str(pairs), *map(str, again)]) == 2
    assert "is a 'rlhf' checkpoint: pass --second-round to start from it" in capsys.readouterr().err
    run("reward", "reward-2", "--second-round", "--pairs", pairs, *again)
    run("rl", "rlhf-2", "--second-round", "--reward", family / "reward-2", *again)
    assert read_checkpoint(family / "rlhf-2", read_causal_classes(), is_chat=True)
    assert main(["chat", str(folder), "--max-tokens", "2"]) == 0
    assert main(["publish", str(family), "--out", str(tmp_path / "half")]) == 0
    assert main(["evaluate", str(tmp_path / "half"), "--prompts", "1"]) == 0
