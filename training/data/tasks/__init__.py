"""Tasks: prompts with problems that know their answers."""
