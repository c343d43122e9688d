"""The stages from text to checkpoints, one a file: tokenizer, base, SFT, preference pairs, reward model, RLHF."""
