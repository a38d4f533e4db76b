"""What proves that a ledger is as it was written: its chain, its end, its summary and its signature."""
