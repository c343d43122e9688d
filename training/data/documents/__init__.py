"""Kinds of documents to pretrain on, and other people's text to use in their place."""
