"""How sure the strengths are: standard errors, intervals, ranks and differences.

Which method a board uses is chosen in ratings/choices.py and looked up in ratings/board/estimate.py.
"""
