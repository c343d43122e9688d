"""Votes to numbers: who is ahead, by how much, and how sure that is.

The folders are in the order of the data: votes, ledger, fit, intervals, board, analysis, report.
"""
