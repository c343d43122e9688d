"""vLLM beside the arena: an engine in a process and an environment of its own, started and stopped by the arena."""
