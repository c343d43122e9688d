"""The table of stages: in order, complete, and with something behind each row."""

import pytest

from training.recipe import Recipe
from training.runs.job import Stage
from training.stages import STAGES


def test_names_and_commands_are_unique_and_the_shares_of_time_make_a_whole() -> None:
    assert len({stage.name for stage in STAGES}) == len({stage.command for stage in STAGES}) == len(STAGES)
    assert sum(stage.time_share for stage in STAGES) == pytest.approx(1.0)


def test_a_stage_comes_after_all_that_it_builds_on() -> None:
    for number, stage in enumerate(STAGES):
        assert set(stage.ancestors) <= set(STAGES[:number])


def test_every_section_of_a_recipe_decides_exactly_one_stage_first() -> None:
    sections = [section for stage in STAGES for section in stage.sections]
    assert sorted(sections) == sorted(Recipe.model_fields.keys() - {"name"})


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.name)
def test_every_stage_has_a_function(stage: Stage) -> None:
    assert callable(stage.load())
