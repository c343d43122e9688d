"""What all stages share: jobs, folders that appear whole, loading, trainers, several processes, sampled replies."""
