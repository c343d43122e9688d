"""The Gradio page, with one file per tab; gradio is imported nowhere else."""
