"""What stands between an operator and a run: one check after another, each with a grade and a remedy."""
