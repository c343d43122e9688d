"""Limits beyond which a policy has paid too much for its reward. The report card and the RLHF stage both read them."""

KL_LIMIT = 0.3  # nats per token: above it the policy no longer writes as it was taught to
DISTINCT_LIMIT = 0.6  # of the SFT model's distinct-2
EXACT_LIMIT = 0.005  # by which fewer replies may be right than the SFT model's
CUT_LIMIT = 0.1  # an SFT model that cuts off a larger share of its replies is no good start for RL
