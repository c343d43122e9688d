"""Replies from weights in this process, by transformers: one engine for each set of weights, with batches."""

from arena.backends.local.backend import TransformersBackend as TransformersBackend
