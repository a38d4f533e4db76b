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
from bulkpause.auth.device import PATIENCE_S as DEVICE_CODE_PATIENCE_S
from bulkpause.auth.device import device_code
from bulkpause.auth.entra import (
    Credential,
    EntraApp,
    assertion_credential,
    certificate_credential,
    client_assertion,
    client_certificate,
    client_secret,
)
from bulkpause.auth.gate import TokenGate
from bulkpause.auth.identity import managed_identity
from bulkpause.auth.person import NOBODY, stored_sign_in
from bulkpause.auth.ready import token_from_command, token_from_environment, token_from_file
from bulkpause.auth.store import SignIn, SignInKey, SignInStore
from bulkpause.auth.tokens import Acquire, Token, Tokens

__all__ = [
    "DEVICE_CODE_PATIENCE_S",
    "NOBODY",
    "Acquire",
    "Credential",
    "EntraApp",
    "SignIn",
    "SignInKey",
    "SignInStore",
    "Token",
    "TokenGate",
    "Tokens",
    "assertion_credential",
    "assertion_from_command",
    "assertion_from_file",
    "assertion_from_github",
    "assertion_from_identity",
    "certificate_credential",
    "client_assertion",
    "client_certificate",
    "client_secret",
    "device_code",
    "identities",
    "managed_identity",
    "stored_sign_in",
    "tenant_of",
    "token_from_command",
    "token_from_environment",
    "token_from_file",
]
