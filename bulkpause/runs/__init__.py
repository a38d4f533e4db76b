"""A run on disk: who it is, what came of it, how it is found and read again, and what is drawn from its ledger."""
