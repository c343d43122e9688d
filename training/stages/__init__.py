"""The stages from text to checkpoints, one module each, and the table of them in the order of a whole run."""

from training.runs.job import Stage

TOKENIZER = Stage(
    "tokenizer",
    command="tokenizer",
    summary="learn a tokenizer from the corpus",
    function="tokenizer.run_tokenizer",
    makes="tokenizer",
    sections=("seed", "data", "tokenizer", "model", "precision"),
    time_share=0.04,
)
BASE = Stage(
    "base",
    command="pretrain",
    summary="pretrain a base model on documents",
    function="pretrain.run_pretrain",
    makes="language model",
    sections=("pretrain",),
    time_share=0.54,
    parent=TOKENIZER,
)
SFT = Stage(
    "sft",
    command="sft",
    summary="finetune the base model to answer in the chat format",
    function="sft.run_sft",
    makes="language model",
    sections=("sft",),
    time_share=0.14,
    parent=BASE,
)
PAIRS = Stage(
    "pairs",
    command="pairs",
    summary="make the first preference pairs from the SFT model's replies",
    function="pairs.run_pairs",
    makes="preference pairs",
    sections=("pairs",),
    time_share=0.07,
    parent=SFT,
)
REWARD = Stage(
    "reward",
    command="reward",
    summary="train a reward model on preference pairs",
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
    summary="train the SFT model on the reward model's scores, or on preference pairs",
    function="rlhf.run_rlhf",
    makes="language model",
    sections=("rl",),
    time_share=0.10,
    parent=SFT,
    needs=(REWARD,),
)
STAGES = (TOKENIZER, BASE, SFT, PAIRS, REWARD, RLHF)
