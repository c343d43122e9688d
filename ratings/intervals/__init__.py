"""How sure the strengths are: standard errors, intervals, ranks and differences."""
