"""Scores of a model, their uncertainty, and the verdicts on the claims of the study."""
