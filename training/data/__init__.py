"""The text that checkpoints are made of, and what judges it."""
