"""Reinforcement learning: the policy samples replies and learns to write what the reward model scores high.

GRPO (Shao et al., 2024, arXiv:2402.03300, section 4.1) and RLOO (Ahmadian et al., 2024, arXiv:2402.14740) sample a
group of replies to each prompt and score each against its group, held near the SFT model by a KL term. TRL renders a
reply that was cut off with an end token that the policy never wrote, so the reward model cannot see that it did not
stop; a penalty on unfinished replies makes up for that.
"""

from random import Random
from typing import TYPE_CHECKING, Any

from datasets import Dataset
from trl import GRPOConfig, GRPOTrainer, RLOOConfig, RLOOTrainer

from training.data.corpus import Corpus
from training.recipe import Recipe
from training.runs.generate import ask
from training.stages.pairs import draw_prompts

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

PROMPTS = 4000
TRAINERS = {"grpo": (GRPOConfig, GRPOTrainer), "rloo": (RLOOConfig, RLOOTrainer)}


def make_group_trainer(
    recipe: Recipe,
    policy: "PreTrainedModel",
    judge: "PreTrainedModel",
    tokenizer: "PreTrainedTokenizerFast",
    corpus: Corpus,
    arguments: dict[str, Any],
    parts: dict[str, Any],
) -> Any:
    """Return TRL's trainer for one of TRAINERS. arguments: of its config; parts: of the trainer itself."""
    settings = recipe.rl
    config, trainer = TRAINERS[settings.algorithm]
    prompts = draw_prompts(corpus, Random(f"{recipe.seed}/rl"), PROMPTS)
    return trainer(
        model=policy,
        processing_class=tokenizer,
        args=config(
            **arguments,
            num_generations=settings.replies_per_prompt,
            temperature=settings.temperature,
            max_completion_length=settings.max_reply_tokens,
        ),
        reward_funcs=[
            judge,
            penalise_unfinished(set(policy.generation_config.eos_token_id), settings.unfinished_penalty),
        ],
        reward_processing_classes=[tokenizer, None],
        train_dataset=Dataset.from_list([{"prompt": ask(e.prompt)} for e in prompts]),
        **parts,
    )


def penalise_unfinished(ends: set[int], penalty: float) -> Any:
    """Return a reward function in TRL's form: minus penalty for a reply whose last token is no end token, else 0."""

    def unfinished(completion_ids: list[list[int]], **_: Any) -> list[float]:
        return [0.0 if ids and ids[-1] in ends else -penalty for ids in completion_ids]

    return unfinished
