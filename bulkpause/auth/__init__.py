"""Getting in: one shared token, where it comes from, and the gate that stops a run nobody lets in.

MSAL and requests cost 150 ms to import; that happens in the thread that fetches the first token, not here.
"""

from bulkpause.auth.assertions import (
    assertion_from_command,
    assertion_from_file,
    assertion_from_github,
    assertion_from_identity,
)
from bulkpause.auth.claims import identities, tenant_of
from bulkpause.auth.entra import EntraApp, client_assertion, client_certificate, client_secret
from bulkpause.auth.gate import TokenGate
from bulkpause.auth.identity import managed_identity
from bulkpause.auth.ready import token_from_command, token_from_environment, token_from_file
from bulkpause.auth.tokens import Acquire, Token, Tokens

__all__ = [
    "Acquire",
    "EntraApp",
    "Token",
    "TokenGate",
    "Tokens",
    "assertion_from_command",
    "assertion_from_file",
    "assertion_from_github",
    "assertion_from_identity",
    "client_assertion",
    "client_certificate",
    "client_secret",
    "identities",
    "managed_identity",
    "tenant_of",
    "token_from_command",
    "token_from_environment",
    "token_from_file",
]
