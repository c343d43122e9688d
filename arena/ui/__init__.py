"""The Gradio page, a file for each tab; gradio is imported nowhere else."""
