"""A stage knows what decides its result, and loads what runs it."""

from training.recipe import load_recipe
from training.runs.job import Stage
from training.stages import BASE, PAIRS, REWARD, RLHF, SFT, STAGES, TOKENIZER


def test_the_ancestors_of_a_stage_are_all_that_it_builds_on() -> None:
    assert TOKENIZER.ancestors == ()
    assert SFT.ancestors == (TOKENIZER, BASE)
    assert PAIRS.ancestors == (TOKENIZER, BASE, SFT)
    assert set(REWARD.ancestors) == {TOKENIZER, BASE, SFT, PAIRS}
    assert set(RLHF.ancestors) == {TOKENIZER, BASE, SFT, PAIRS, REWARD}


def test_a_stage_is_decided_by_its_own_sections_and_those_before_it() -> None:
    recipe = load_recipe("nano").model_dump(mode="json")
    shared = ["seed", "data", "tokenizer", "model", "precision"]
    sections = [*shared, "pretrain", "sft", "pairs", "reward", "rl"]
    for count, stage in enumerate(STAGES, start=len(shared)):
        assert stage.decisive(recipe) == {key: recipe[key] for key in sections[:count]}


def test_tasks_under_their_older_spelling_decide_the_same() -> None:
    recipe = load_recipe("nano").model_dump(mode="json")
    older = recipe | {"data": {("families" if key == "tasks" else key): value for key, value in recipe["data"].items()}}
    assert "tasks" not in older["data"]
    assert BASE.decisive(older) == BASE.decisive(recipe)


def test_a_stage_has_weights_where_it_makes_a_model() -> None:
    assert [stage.name for stage in STAGES if stage.has_weights] == ["base", "sft", "reward", "rlhf"]


def test_a_stage_loads_the_function_that_runs_it() -> None:
    stage = Stage("x", "x", "", "tokenizer.adopt_tokenizer", "tokenizer", (), 0.0)
    assert stage.load().__name__ == "adopt_tokenizer"
