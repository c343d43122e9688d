"""Whether the files in a folder are a checkpoint that can write replies."""
