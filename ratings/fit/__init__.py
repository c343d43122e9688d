"""Counts of votes to strengths: Bradley-Terry and its kin, and which models can be rated at all."""
