"""The names that ``import ratings`` offers: votes of any origin, boards, and what is known of a pair of models."""
