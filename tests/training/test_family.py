"""A whole family, trained at the smallest size: what its folders hold, and that each stage did something."""

import json
import math
import re
import shutil
from pathlib import Path
from random import Random
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer

from common.weights import hash_weights
from training.__main__ import main
from training.data.corpus import Corpus
from training.data.preferences import read_pairs
from training.evaluate.rewards import measure_pairs
from training.evaluate.text import measure_bits_per_byte
from training.recipe import Recipe, parse_recipe
from training.stages import STAGES as TABLE
from training.stages.pairs import draw_prompts
from training.stages.pretrain import new_model
from training.stages.sft import VALIDATED
from training.stages.tokenizer import CHAT_TEMPLATE, DOCUMENT_END, PAD, REPLY_END

pytestmark = pytest.mark.slow

STAGES = {
    "tokenizer": ("tokenizer", None),
    "base": ("base", "tokenizer"),
    "sft": ("sft", "base"),
    "pairs": ("pairs", "sft"),
    "reward": ("reward", "sft"),
    "rlhf": ("rlhf", "sft"),
}
MODELS = ("base", "sft", "reward", "rlhf")
FIGURES = {
    "tokenizer": {"bytes_per_token"},
    "base": {"bits_per_byte"},
    "sft": {"loss", "exact", "rubric", "cut_off"},
    "pairs": {"pairs", "heldout_pairs"},
    "reward": {"pair_accuracy", "negative_log_likelihood", "calibration_error", "heldout_pairs", "pairs", "too_long"},
    "rlhf": {"reward", "sft_reward", "kl_per_token", "cut_off", "sft_cut_off", "rubric", "sft_rubric", "wins", "step"},
}


def record_of(folder: Path) -> dict[str, Any]:
    record: dict[str, Any] = json.loads((folder / "stage.json").read_text(encoding="utf-8"))
    return record


def load(folder: Path) -> tuple[Any, Any]:
    kind = AutoModelForSequenceClassification if folder.name == "reward" else AutoModelForCausalLM
    return kind.from_pretrained(folder).eval(), AutoTokenizer.from_pretrained(folder)


def recipe_of(folder: Path) -> Recipe:
    return parse_recipe(record_of(folder)["recipe"], str(folder))


@pytest.fixture(scope="module")
def tiny_corpus(tiny_family: Path) -> Corpus:
    recipe = recipe_of(tiny_family / "base")
    return Corpus(recipe.data, recipe.seed)


def test_a_run_makes_every_stage_and_leaves_nothing_else(tiny_family: Path) -> None:
    assert {path.name for path in tiny_family.iterdir()} == set(STAGES) == {stage.name for stage in TABLE}


@pytest.mark.parametrize("name", MODELS)
def test_a_checkpoint_loads_by_the_standard_classes_with_every_weight(tiny_family: Path, name: str) -> None:
    kind = AutoModelForSequenceClassification if name == "reward" else AutoModelForCausalLM
    folder = tiny_family / name
    model, loading = kind.from_pretrained(folder, output_loading_info=True)
    assert not any(loading[key] for key in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    assert len(AutoTokenizer.from_pretrained(folder)) == model.config.vocab_size == 512
    assert all(torch.isfinite(weights).all() for weights in model.parameters())
    assert {"config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"} <= {
        path.name for path in folder.iterdir()
    }


@pytest.mark.parametrize("name", STAGES)
def test_the_record_says_where_a_checkpoint_comes_from(tiny_family: Path, name: str) -> None:
    stage, parent = STAGES[name]
    record = record_of(tiny_family / name)
    assert record["stage"] == stage
    if parent is None:
        assert record["parent"] is None
    else:
        weights = record_of(tiny_family / parent)["weights"]
        assert record["parent"] == {"name": parent, "stage": STAGES[parent][0], "weights": weights}
    assert record["weights"] == hash_weights(tiny_family / name)
    assert (record["weights"] is not None) == (name in MODELS)
    assert "pretrain.tokens=60000" in record["overrides"]
    assert record["recipe"]["pretrain"]["tokens"] == 60_000
    assert parse_recipe(record["recipe"], name).seed == record["seed"] == 0
    assert re.fullmatch(r"sha256:[0-9a-f]{64}", record["data"])
    assert set(record["versions"]) >= {"torch", "transformers", "trl", "tokenizers"}
    assert re.fullmatch(r"[0-9a-f]{40}(\+changes)?|unknown", record["source"])


@pytest.mark.parametrize("name", STAGES)
def test_the_record_holds_the_stages_figures_and_its_cost(tiny_family: Path, name: str) -> None:
    record = record_of(tiny_family / name)
    assert FIGURES[name] <= set(record["heldout"])
    assert all(math.isfinite(value) for value in record["heldout"].values())
    assert 0 < record["wall_seconds"] < 600
    assert record["cpu_seconds"] > 0
    shares = {key: record["heldout"][key] for key in ("cut_off", "expected_words") if key in record["heldout"]}
    assert all(0 <= share <= 1 for share in shares.values())


@pytest.mark.parametrize("name", MODELS)
def test_every_trained_stage_has_seen_tokens(tiny_family: Path, name: str) -> None:
    assert record_of(tiny_family / name)["tokens"] > 0


def test_pretraining_saw_the_tokens_it_was_told_to(tiny_family: Path) -> None:
    per_step = 8 * 128
    assert record_of(tiny_family / "base")["tokens"] == 60_000 // per_step * per_step


def test_stages_on_one_corpus_share_its_fingerprint(tiny_family: Path, tiny_corpus: Corpus) -> None:
    found = {record_of(tiny_family / name)["data"] for name in ("tokenizer", "base", "sft", "pairs", "rlhf")}
    assert found == {tiny_corpus.fingerprint}
    assert record_of(tiny_family / "reward")["data"] != tiny_corpus.fingerprint


def test_pretraining_lowers_held_out_bits_per_byte_far_below_a_random_models(
    tiny_family: Path, tiny_corpus: Corpus
) -> None:
    model, tokenizer = load(tiny_family / "base")
    fresh = new_model(recipe_of(tiny_family / "base"), tokenizer)
    recorded = record_of(tiny_family / "base")["heldout"]["bits_per_byte"]
    assert measure_bits_per_byte(model, tokenizer, tiny_corpus.heldout_documents()) == pytest.approx(recorded, abs=2e-3)
    assert recorded < 0.75 * measure_bits_per_byte(fresh, tokenizer, tiny_corpus.heldout_documents())


def test_finetuning_lowers_the_loss_of_held_out_replies(tiny_family: Path, tiny_corpus: Corpus) -> None:
    base, _ = load(tiny_family / "base")
    sft, tokenizer = load(tiny_family / "sft")
    heldout = tiny_corpus.heldout()
    examples = heldout[:: max(1, len(heldout) // VALIDATED)]

    @torch.no_grad()
    def reply_loss(model: Any) -> float:
        nats, count = 0.0, 0
        for e in examples:
            asked = [{"role": "user", "content": e.prompt}]
            said = [{"role": "assistant", "content": e.reply}]
            start = len(tokenizer.apply_chat_template(asked, add_generation_prompt=True)["input_ids"])
            row = torch.tensor([tokenizer.apply_chat_template(asked + said)["input_ids"]])  # (1, T)
            log_p = model(row).logits[0, start - 1 : -1].log_softmax(-1)
            nats -= log_p.gather(1, row[0, start:, None]).sum().item()
            count += row.shape[1] - start
        return nats / count

    # The trainer cuts stories at the context and weighs batches alike, so its figure is near this one and not the same.
    assert record_of(tiny_family / "sft")["heldout"]["loss"] == pytest.approx(reply_loss(sft), rel=0.2)
    assert reply_loss(sft) < 0.9 * reply_loss(base)


@pytest.mark.parametrize(("child", "parent"), [("sft", "base"), ("rlhf", "sft"), ("reward", "sft")])
def test_a_stage_moves_every_layer_of_its_parent(tiny_family: Path, child: str, parent: str) -> None:
    before = dict(load(tiny_family / parent)[0].model.named_parameters())
    after = dict(load(tiny_family / child)[0].model.named_parameters())
    assert before.keys() == after.keys()
    # A norm's weight may stand still for want of a step that its precision can show.
    still = [name for name in before if "norm" not in name and torch.equal(before[name], after[name])]
    assert still == []


def test_the_base_model_ends_documents_and_has_no_chat_format(tiny_family: Path) -> None:
    model, tokenizer = load(tiny_family / "base")
    assert tokenizer.chat_template is None
    assert tokenizer.eos_token == DOCUMENT_END
    assert model.generation_config.eos_token_id == tokenizer.convert_tokens_to_ids(DOCUMENT_END)


@pytest.mark.parametrize("name", ["sft", "rlhf"])
def test_a_chat_model_knows_its_format_both_its_ends_and_its_padding(tiny_family: Path, name: str) -> None:
    model, tokenizer = load(tiny_family / name)
    reply_end, document_end, pad = tokenizer.convert_tokens_to_ids([REPLY_END, DOCUMENT_END, PAD])
    assert tokenizer.chat_template == CHAT_TEMPLATE
    assert tokenizer.eos_token == REPLY_END
    assert set(model.generation_config.eos_token_id) == {reply_end, document_end}
    assert model.generation_config.pad_token_id == pad
    assert model.config.eos_token_id == reply_end


def test_the_reward_models_recorded_figures_are_those_of_its_weights(tiny_family: Path) -> None:
    model, tokenizer = load(tiny_family / "reward")
    test = read_pairs(tiny_family / "pairs").test
    recorded = record_of(tiny_family / "reward")["heldout"]
    if recorded["heldout_pairs"] == len(test):
        measured = measure_pairs(model, tokenizer, test)
        # Few pairs fall into each bin of confidence, and one on its border counts as much as all the others in it.
        close = {key: 0.1 if key == "calibration_error" else 2e-3 for key in measured}
        assert measured == {key: pytest.approx(recorded[key], abs=close[key]) for key in measured}
    assert model.config.num_labels == 1
    assert model.config.pad_token_id == tokenizer.pad_token_id


def test_pairs_ask_training_prompts_to_train_and_held_out_ones_to_test(tiny_family: Path, tiny_corpus: Corpus) -> None:
    found = read_pairs(tiny_family / "pairs")
    train, test = found.train, found.test
    recipe = recipe_of(tiny_family / "pairs")
    trained_on = {e.prompt for e in draw_prompts(tiny_corpus, Random(f"{recipe.seed}/pairs"), recipe.pairs.prompts)}
    held_out = {e.prompt for e in tiny_corpus.heldout()}
    near = {row["prompt"][0]["content"] for row in train if "near_miss" in row}  # of prompts drawn for them alone
    assert {row["prompt"][0]["content"] for row in train if "near_miss" not in row} <= trained_on
    assert near
    assert not near & held_out
    assert {row["prompt"][0]["content"] for row in test} <= held_out
    figures = record_of(tiny_family / "pairs")["heldout"]
    assert (figures["pairs"], figures["heldout_pairs"]) == (len(train), len(test))
    for part in (train, test):
        sampled = sum("degenerate" not in row and "near_miss" not in row for row in part)
        assert sum("near_miss" in row for row in part) == int(sampled * recipe.pairs.near_miss_share) > 0
    for row in train + test:
        assert row["chosen"] != row["rejected"]
        assert row["margin"] == (recipe.pairs.margin if "degenerate" in row else 0.0)
    lines = (tiny_family / "pairs" / "train.jsonl").read_text(encoding="utf-8").splitlines()
    assert {json.loads(line)["source"] for line in lines} == {"synthetic"}


def test_the_policy_stays_near_its_parent_and_is_measured_on_held_out_prompts(
    tiny_family: Path, tiny_corpus: Corpus
) -> None:
    assert len(tiny_corpus.heldout()) >= 50
    figures = record_of(tiny_family / "rlhf")["heldout"]
    assert 0 < figures["kl_per_token"] < 0.5


def test_a_run_that_lost_its_last_stage_makes_only_that_one_again(
    tiny_family: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    family = tmp_path / "family"
    shutil.copytree(tiny_family, family)
    shutil.rmtree(family / "rlhf")
    kept = {path: path.read_bytes() for path in family.rglob("*") if path.is_file()}
    settings = [word for setting in record_of(tiny_family / "base")["overrides"] for word in ("--set", setting)]
    assert main(["run", "nano", "--out", str(family), *settings]) == 0
    assert capsys.readouterr().err.count(": kept\n") == 5
    assert {path: path.read_bytes() for path in kept} == kept
    assert record_of(family / "rlhf")["weights"] == record_of(tiny_family / "rlhf")["weights"]
    assert main(["run", "nano", "--out", str(family), *settings]) == 0
    assert "all stages are there" in capsys.readouterr().err


def vote(number: int, reply: str = "It is good.") -> dict[str, Any]:
    """Return a row as python -m ratings.export writes it."""
    return {
        "prompt": [{"role": "user", "content": f"What is {number}?"}],
        "chosen": [{"role": "assistant", "content": reply}],
        "rejected": [{"role": "assistant", "content": "moo moo moo moo moo"}],
        "margin": 0.0,
        "battle_id": f"b{number}",
        "round": 1,
        "source": "human",
    }


def test_a_reward_model_is_trained_on_votes_alone_and_counts_what_is_too_long(
    tiny_family: Path, tmp_path: Path, make_pairs_folder: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    train = [vote(i) for i in range(24)] + [vote(24, "too long " * 80)]
    pairs = make_pairs_folder(train, [vote(i) for i in range(30, 36)] + [vote(36, "too long " * 80)])
    sft, out = tiny_family / "sft", tmp_path / "reward"
    words = ["reward", "--pairs", pairs, "--model", sft, "--out", out, "--set", "reward.epochs=8"]
    assert main([str(word) for word in [*words, "--set", "reward.learning_rate=3e-3"]]) == 0
    assert f"{out}: held out: pair_accuracy " in capsys.readouterr().out
    record = record_of(out)
    assert record["heldout"]["pair_accuracy"] == 1.0
    assert record["heldout"]["negative_log_likelihood"] < 0.6
    assert (record["heldout"]["pairs"], record["heldout"]["heldout_pairs"]) == (24, 6)
    assert record["heldout"]["too_long"] == 2
    assert record["parent"]["weights"] == hash_weights(sft)
    assert record["overrides"] == ["reward.epochs=8", "reward.learning_rate=3e-3"]
    assert record["recipe"] == record_of(sft)["recipe"] | {"reward": record["recipe"]["reward"]}
    assert record["recipe"]["reward"]["epochs"] == 8


def test_votes_that_are_all_too_long_are_refused(
    tiny_family: Path, tmp_path: Path, make_pairs_folder: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    pairs = make_pairs_folder([vote(1, "too long " * 80)], [vote(2)])
    words = ["reward", "--pairs", pairs, "--model", tiny_family / "sft", "--out", tmp_path / "reward"]
    assert main([str(word) for word in words]) == 2
    assert "no pair fits the model's context of 128 tokens" in capsys.readouterr().err
    assert not (tmp_path / "reward").exists()


def pretrain(folder: Path, *settings: str) -> str | None:
    small = ("data.examples=150", "tokenizer.vocab_size=320", "model.hidden_size=32")
    small += (
        "model.layers=1",
        "model.mlp_size=32",
        "model.context=64",
        "pretrain.tokens=8000",
        "pairs.max_reply_tokens=8",
    )
    small += ("rl.max_reply_tokens=8", *settings)
    words = [word for setting in small for word in ("--set", setting)]
    assert main(["tokenizer", "--out", str(folder / "tokenizer"), *words]) == 0
    assert main(["pretrain", "--model", str(folder / "tokenizer"), "--out", str(folder / "base")]) == 0
    return hash_weights(folder / "base")


def test_one_seed_pretrains_the_same_weights_and_another_does_not(tmp_path: Path) -> None:
    one, same = pretrain(tmp_path / "one"), pretrain(tmp_path / "same")
    other = pretrain(tmp_path / "other", "seed=1")
    assert one is not None
    assert one == same
    assert other not in (None, one)
    tokenizers = [(tmp_path / name / "tokenizer" / "tokenizer.json").read_bytes() for name in ("one", "same")]
    assert tokenizers[0] == tokenizers[1]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "file"),
    [(["pairs"], "train.jsonl"), (["reward", "--pairs", "{family}/pairs"], "model.safetensors")],
    ids=["pairs", "reward"],
)
def test_a_stage_alone_gives_the_same_again(tiny_family: Path, tmp_path: Path, words: list[str], file: str) -> None:
    made = []
    for name in ("one", "two"):
        command = [word.format(family=tiny_family) for word in words]
        assert main([*command, "--model", str(tiny_family / "sft"), "--out", str(tmp_path / name)]) == 0
        made.append((tmp_path / name / file).read_bytes())
    assert made[0] == made[1]
