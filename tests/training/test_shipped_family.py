"""The families that ship: small enough, whole, of one lineage, and as good as their report card says."""

import json
from typing import Any

import pytest
from safetensors import safe_open
from transformers import AutoModelForCausalLM, AutoTokenizer

from common.weights import hash_weights
from tests.paths import CHECKPOINTS
from training.evaluate.measure import evaluate
from training.runs.checkpoint import read_record

pytestmark = pytest.mark.slow


SHIPPED = [*(f"demo/{stage}" for stage in ("base", "sft", "reward", "rlhf")), "mini/base", "mini/sft"]
CHILDREN = [
    ("demo/sft", "demo/base"),
    ("demo/reward", "demo/sft"),
    ("demo/rlhf", "demo/sft"),
    ("mini/sft", "mini/base"),
]
SAMPLED = 6  # prompts of each task; the card has 24


@pytest.fixture(scope="module")
def card() -> dict[str, dict[str, Any]]:
    rows = json.loads((CHECKPOINTS / "demo" / "report.json").read_text(encoding="utf-8"))
    return {row["stage"]: row for row in rows}


def test_the_families_are_small_enough_for_a_repository() -> None:
    sizes = {name: sum(f.stat().st_size for f in (CHECKPOINTS / name).iterdir()) / 1e6 for name in SHIPPED}
    assert max(sizes.values()) < 30
    assert sum(sizes.values()) < 80


@pytest.mark.parametrize("name", SHIPPED)
def test_every_weight_is_bfloat16_and_the_hash_is_that_of_the_record(name: str) -> None:
    [file] = (CHECKPOINTS / name).glob("*.safetensors")
    with safe_open(file, "pt") as tensors:
        assert {tensors.get_slice(key).get_dtype() for key in tensors.keys()} == {"BF16"}  # noqa: SIM118
    record = read_record(CHECKPOINTS / name)
    assert record is not None
    assert record["weights"] == hash_weights(CHECKPOINTS / name)
    assert record["recipe"]["name"] == name.split("/")[0]


@pytest.mark.parametrize(("child", "parent"), CHILDREN)
def test_each_stage_names_its_parents_weights(child: str, parent: str) -> None:
    record = read_record(CHECKPOINTS / child)
    assert record is not None
    assert record["parent"]["weights"] == hash_weights(CHECKPOINTS / parent)


def test_anyone_can_load_and_ask_it() -> None:
    folder = CHECKPOINTS / "demo" / "sft"
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype="float32")
    inputs = tokenizer.apply_chat_template(
        [{"role": "user", "content": "What is the opposite of fast?"}],
        add_generation_prompt=True,
        return_tensors="pt",
        return_dict=True,
    )
    said = model.generate(**inputs, max_new_tokens=40, do_sample=False)
    reply = tokenizer.decode(said[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
    assert "slow" in reply.lower()
    assert said[0, -1].item() in model.generation_config.eos_token_id


@pytest.mark.parametrize("stage", ["sft", "rlhf"])
def test_the_weights_reach_the_figures_of_the_card(card: dict[str, dict[str, Any]], stage: str) -> None:
    again, told = evaluate(CHECKPOINTS / "demo" / stage, per_task=SAMPLED, show=False), card[stage]
    assert again["bits_per_byte"] == pytest.approx(told["bits_per_byte"], abs=0.005)
    assert again["exact"] == pytest.approx(told["exact"], abs=0.08)
    assert again["rubric"] == pytest.approx(told["rubric"], abs=4)
    assert again["cut_off"] == pytest.approx(told["cut_off"], abs=0.04)
