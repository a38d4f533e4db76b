"""What can be proven of a ledger on the disk: its chain, its end, what `summary.json` noted, and its signature."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import orjson

from bulkpause import audit
from bulkpause.chain import Closing
from bulkpause.errors import LedgerError
from bulkpause.lock import Owner, owner_of
from bulkpause.proof.flaws import Flaw, cut_off
from bulkpause.proof.inspection import Finding, check
from bulkpause.proof.signing import Signature, fingerprint, load_public_key, read_signature, signature_file


class Signed(StrEnum):
    """What a signature is worth."""

    GOOD = "good"
    """By the trusted key, over all there is."""
    UNCHECKED = "unchecked"
    """It fits the ledger, but no key was given to trust."""
    NONE = "none"
    """There is none, and none was asked for."""
    MISSING = "missing"
    """There is none, though a key was given."""
    BAD = "bad"


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What a ledger came to."""

    audit_file: Path
    finding: Finding
    flaws: tuple[Flaw, ...]
    """Those of the chain, and an end that is known to be cut off."""
    owner: Owner | None
    """Who still writes it."""
    signed: Signed
    signer: str | None
    """The fingerprint of the key that is said to have signed."""
    notes: tuple[str, ...]
    """What else the reader should know, one sentence each."""

    @property
    def is_intact(self) -> bool:
        """Whether nothing is wrong: no flaw, and no signature that is wrong or wanted and not there."""
        return not self.flaws and self.signed not in (Signed.BAD, Signed.MISSING)


def examine(audit_file: Path, *, summary_file: Path, public_key_file: Path | None = None) -> Proof:
    """Read a ledger and all that vouches for it.

    Raises LedgerError if it cannot be read, UsageError if the public key cannot.
    """
    trusted = None if public_key_file is None else load_public_key(public_key_file)
    try:
        owner = owner_of(audit_file)
        tail = audit.find_tail(audit_file)
        finding = check(audit.read_lines(audit_file), cut_bytes=0 if owner else tail.cut_bytes)
    except OSError as error:
        raise LedgerError(f"the audit log {audit_file} cannot be read: {error.strerror or error}.") from None
    noted, notes = _noted(summary_file, finding)
    flaws = list(finding.flaws)
    if noted is not None and noted.head not in {closing.head for closing in finding.closings}:
        flaws.append(cut_off(noted, lines=finding.lines, by=summary_file.name))
    signature = read_signature(audit_file)
    signed, words = judge(signature, finding, trusted=trusted)
    return Proof(
        audit_file=audit_file,
        finding=finding,
        flaws=tuple(sorted(flaws)),
        owner=owner,
        signed=signed,
        signer=fingerprint(signature.public_key) if signature is not None and signature.public_key else None,
        notes=(*notes, words.format(file=signature_file(audit_file))),
    )


def judge(signature: Signature | None, finding: Finding, *, trusted: bytes | None) -> tuple[Signed, str]:
    """What a signature says of a ledger, and the sentence for it; `{file}` in that is where the signature is."""
    if signature is None:
        if trusted is not None:
            return Signed.MISSING, "There is no signature {file}."
        return Signed.NONE, "It is not signed: whoever could write it could also write it anew, chain and all."
    if not signature.is_genuine:
        return Signed.BAD, "The signature {file} is not that of the key it names."
    if trusted is not None and signature.public_key != trusted:
        return Signed.BAD, "The signature {file} is by another key than the one you trust."
    if signature.run_id != finding.run_id:
        return Signed.BAD, "The signature {file} is of another run."
    if signature.closing not in finding.closings:
        return Signed.BAD, "The signature {file} is of another ledger of this run."
    if not finding.has_ended or signature.closing != finding.closings[-1]:
        return Signed.BAD, f"What came after line {signature.closing.lines} is not signed: {{file}} is older."
    if trusted is None:
        return Signed.UNCHECKED, "It is signed, but not checked against a key that you trust: give --public-key FILE."
    return Signed.GOOD, "Its closing line is signed by the key that you trust."


def _noted(file: Path, finding: Finding) -> tuple[Closing | None, list[str]]:
    """The closing line that `summary.json` speaks of, and why it could not be compared if there is one."""
    try:
        summary = orjson.loads(file.read_bytes())
        if summary["run_id"] != finding.run_id:
            return None, [f"{file.name} beside it is of another run, and was not compared."]
        if summary.get("audit_head") is None:
            return None, []
        return Closing(int(summary["audit_lines"]), str(summary["audit_head"])), []
    except FileNotFoundError:
        return None, []
    except (OSError, ValueError, KeyError, TypeError):
        return None, [f"{file.name} beside it cannot be read, and was not compared."]
