"""The guard: how many battles a visitor may start, which prompts pass, and whether a reply names its writer."""
