"""Text to checkpoints: tokenizer, pretraining, supervised finetuning, reward model, reinforcement learning.

The four stages of "State of GPT" (Karpathy, 2023), each a file that reads a parent folder and writes a standard
Hugging Face folder with a ``stage.json`` beside the weights:

    recipe.py      one YAML file -> validated objects
    recipes/       nano, mini, demo, gpu
    data/          the corpus: a simulated world in readable files, the rubric, preference pairs
    tokenizer.py -> pretrain.py -> sft.py -> pairs.py -> reward.py -> rl.py
    packing.py     documents to rows of tokens, by several processes
    checkpoint.py  folders that appear whole or not at all, and stage.json
    sampling.py    replies of a checkpoint to many prompts at once
    processes.py   several processes, one a graphics card: who does what      fsdp.yaml   weights sharded among them
    trainer.py     what all trainers share: common arguments, the order of rows, a quiet run
    callbacks.py   what happens on the way: saves, a stop when the loss is no number, one progress bar a stage
    evaluate.py    the report card: what each checkpoint can do        card.py   the card as a page
    chat.py        talk to a checkpoint in the terminal                publish.py     a family in bfloat16
    __main__.py    python -m training STAGE | run | evaluate | chat

It imports neither arena nor ratings; the votes of people reach it as files of preference pairs.
"""
