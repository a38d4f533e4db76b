"""What the tenant has: its reports before a run, and what the service says of them afterwards."""
