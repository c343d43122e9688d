"""The simulated world: words with facts, scenes, phrasings and plots."""
