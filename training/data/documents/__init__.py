"""Kinds of documents that are pretrained on, and other people's text in their place."""
