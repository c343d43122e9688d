"""Whether a folder's files make a checkpoint that can fight."""
