"""The audit log: an append-only file of JSON lines that has one writer and any number of readers."""

from bulkpause.audit.reader import find_tail, last_line, read, read_lines
from bulkpause.audit.writer import SCHEMA, AuditLog

__all__ = ["SCHEMA", "AuditLog", "find_tail", "last_line", "read", "read_lines"]
