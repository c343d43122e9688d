"""Text to checkpoints: tokenizer, pretraining, supervised finetuning, reward model, reinforcement learning.

The four stages of "State of GPT" (Karpathy, 2023), each a file that reads a parent folder and writes a standard
Hugging Face folder with a ``stage.json`` beside the weights:

    recipe.py      one YAML file -> validated objects
    data/          the corpus: a small generated world, small talk, the checker, preference pairs
    tokenizer.py -> pretrain.py -> sft.py -> pairs.py -> reward.py -> rl.py
    checkpoint.py  folders that appear whole or not at all, and stage.json
    sampling.py    replies of a checkpoint to many prompts at once
    trainer.py     what all trainers share: common arguments, one progress bar a stage, quiet logs
    __main__.py    python -m training STAGE | run

It imports neither arena nor ratings; the votes of people reach it as files of preference pairs.
"""
