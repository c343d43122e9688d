"""The sections of a recipe: a wrong key or value is named with the file."""

import re

import pytest

from training.recipe import RECIPES, RecipeError, load_recipe


@pytest.mark.parametrize(
    ("setting", "key", "value"),
    [
        ("pretrain.learning_rat=1", "pretrain.learning_rat", None),
        ("pretrian.tokens=1", "pretrian", None),
        ("depth=3", "depth", None),
        ("pretrain.tokens=many", "pretrain.tokens", "many"),
        ("pretrain.tokens=1.5", "pretrain.tokens", "1.5"),
        ("pretrain.tokens=0", "pretrain.tokens", "0"),
        ("pretrain.tokens=-5", "pretrain.tokens", "-5"),
        ("pretrain.warmup=1", "pretrain.warmup", "1"),
        ("pretrain.learning_rate=-3e-4", "pretrain.learning_rate", "-0.0003"),
        ("pretrain.learning_rate=.nan", "pretrain.learning_rate", "nan"),
        ("data.mixture.novels=1", "data.mixture", "unknown kind of text 'novels'"),
        ("data.mixture.stories=-1", "data.mixture", "the share of stories is -1"),
        ("data.mixture={stories: 0}", "data.mixture", "the shares are all 0"),
        ("data.words=10", "data.words", "10"),
        ("pretrain.accumulate=3", "pretrain", "batch 8 is not a multiple of accumulate 3"),
        ("pretrain.tokens=2000", "recipe", "pretrain.tokens 2000 is less than one step of pretrain.batch 8"),
        ("rl.max_reply_tokens=256", "recipe", "leaves no room for a prompt in model.context 256"),
        ("rl.algorithm=ppo", "rl.algorithm", "ppo"),
        ("sft.lora.rank=0", "sft.lora.rank", "0"),
        ("model.layers=0", "model", "layers is 0"),
        ("data.small_talk=perhaps", "data.small_talk", "perhaps"),
        ("tokenizer.vocab_size=261", "tokenizer.vocab_size", "261"),
        ("model.context=8", "model.context", "8"),
        ("pairs.samples=1", "pairs.samples", "1"),
        ("pairs.degenerate_share=1", "pairs.degenerate_share", "1"),
        ("rl.replies_per_prompt=1", "rl.replies_per_prompt", "1"),
        ("rl.beta=-0.1", "rl.beta", "-0.1"),
        ("rl=3", "rl", "3"),
        ("model.heads=3", "model", "hidden_size 128 is not a multiple of heads 3"),
        ("name=no", "name", "False"),
        ("seed=[1, 2]", "seed", "[1, 2]"),
    ],
)
def test_a_wrong_key_or_value_is_named_with_the_file(setting: str, key: str, value: str | None) -> None:
    with pytest.raises(RecipeError) as error:
        load_recipe("nano", [setting])
    message = str(error.value)
    assert message.startswith(str(RECIPES / "nano.yaml"))
    assert re.search(rf"(: |'){re.escape(key)}(:|')", message), message
    assert value is None or value in message
