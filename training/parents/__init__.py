"""Parents that were not made here: a Hugging Face folder or a name on the Hub, found and made ready for a stage."""
