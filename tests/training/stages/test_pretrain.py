"""A new base model has the shape that its recipe gives it."""

from typing import Any

import torch

from training.recipe import Recipe


def test_a_new_model_has_the_shape_of_the_recipe_and_depends_on_its_seed(make_model: Any, recipe: Recipe) -> None:
    one, same, other = make_model(seed=1), make_model(seed=1), make_model(seed=2)
    config = one.config
    assert (config.hidden_size, config.num_hidden_layers) == (recipe.model.hidden_size, recipe.model.layers)
    assert config.max_position_embeddings == recipe.model.context
    assert config.vocab_size == recipe.tokenizer.vocab_size
    weights = [model.model.layers[0].mlp.up_proj.weight for model in (one, same, other)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])
