"""Text to checkpoints: the four stages of "State of GPT" (Karpathy, 2023), each from a parent folder to the next.

It imports neither arena nor ratings: people's votes reach it as files of preference pairs.
"""
