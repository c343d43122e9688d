"""What all stages share: folders that appear whole, trainers' arguments, several processes, text from a checkpoint."""
