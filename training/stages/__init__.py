"""The stages from text to checkpoints, one module each, and the table of them in the order of a whole run."""

from training.runs.job import Stage

TOKENIZER = Stage(
    "tokenizer",
    command="tokenizer",
    function="tokenizer.run_tokenizer",
    makes="tokenizer",
    sections=("seed", "data", "tokenizer", "model", "precision"),
    time_share=0.04,
)
BASE = Stage(
    "base",
    command="pretrain",
    function="pretrain.run_pretrain",
    makes="language model",
    sections=("pretrain",),
    time_share=0.54,
    parent=TOKENIZER,
)
SFT = Stage(
    "sft",
    command="sft",
    function="sft.run_sft",
    makes="language model",
    sections=("sft",),
    time_share=0.14,
    parent=BASE,
)
PAIRS = Stage(
    "pairs",
    command="pairs",
    function="pairs.run_pairs",
    makes="preference pairs",
    sections=("pairs",),
    time_share=0.07,
    parent=SFT,
)
REWARD = Stage(
    "reward",
    command="reward",
    function="reward.run_reward",
    makes="reward model",
    sections=("reward",),
    time_share=0.11,
    parent=SFT,
    needs=(PAIRS,),
)
RLHF = Stage(
    "rlhf",
    command="rl",
    function="rlhf.run_rlhf",
    makes="language model",
    sections=("rl",),
    time_share=0.10,
    parent=SFT,
    needs=(REWARD,),
)
STAGES = (TOKENIZER, BASE, SFT, PAIRS, REWARD, RLHF)
