"""Thin shells that look at the machine, the network and the service, and bring home facts. They judge nothing."""
