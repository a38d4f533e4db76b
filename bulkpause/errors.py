"""What dooms a run. A failure of one report is a value (`models.Outcome`), never one of these."""


class BulkpauseError(Exception):
    """The root: its text is one or two lines that say what happened, why, and what to type next."""


class UsageError(BulkpauseError):
    """The command line asks for something that cannot be."""


class ConfigError(BulkpauseError):
    """A setting is missing, malformed or contradicts another; the text names it and where it came from."""


class SourceError(BulkpauseError):
    """The source of report ids is unusable; the text names it and, where there is one, the line."""


class AuthError(BulkpauseError):
    """No token can be had, or the service refuses a fresh one."""


class NoWayError(AuthError):
    """The sign-in service cannot be reached, and trying again will not help: its certificate is refused."""


class TokenUnavailableError(AuthError):
    """No token just now, and waiting may heal it. `retry_after_s`: how long the far side asked to be left alone."""

    def __init__(self, message: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class LedgerError(BulkpauseError):
    """A ledger that is to be read, or its signature, is not there or cannot be read."""


class AuditError(BulkpauseError):
    """The audit log could not be written. Nothing more may be sent."""


class AuditCreateError(AuditError):
    """The run directory or audit log could not be created. Nothing was sent."""
