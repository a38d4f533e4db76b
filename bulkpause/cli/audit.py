"""`bulkpause audit verify` and `bulkpause audit keygen`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from bulkpause.cli import exits
from bulkpause.cli.options import Verb, config_options, load_settings
from bulkpause.cli.words import print_json

if TYPE_CHECKING:
    from bulkpause.proof.examine import Proof

NAMED_FLAWS: Final = 20

_FILE = click.Path(dir_okay=False, path_type=Path)
_FOLDER = click.Path(file_okay=False, path_type=Path)


@click.group()
def audit() -> None:
    """Prove that an audit log is as it was written; make a key to sign audit logs with."""


@audit.command(
    cls=Verb,
    short_help="Prove that nobody edited, removed, moved or cut its lines.",
    examples=[
        "bulkpause audit verify last",
        "bulkpause audit verify 20261124-2204",
        "bulkpause audit verify audit.jsonl --public-key audit-key.pem.pub",
    ],
)
@click.argument("run", metavar="RUN|FILE")
@click.option("--public-key", type=_FILE, help="PEM file of the key you trust; it must have signed all of it.")
@click.option("--runs-dir", type=_FOLDER, help="Where run directories are.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as one JSON document.")
@config_options
def verify(run: str, *, public_key: Path | None, as_json: bool, **options: Any) -> int:
    """Check the audit log of a run, or a FILE: its chain, its end, and its signature.

    RUN is a run id, a unique start of one, a run directory, or last. Exit code 0: all lines are as they were written,
    and the run has ended; 1: so far they are, but it has not ended; 5: something is wrong.
    """
    from bulkpause.proof.examine import examine  # noqa: PLC0415 - keep --help quick

    file = Path(run)
    summary_file = file.parent / "summary.json"
    if not file.is_file():
        from bulkpause.runs.finding import find_run  # noqa: PLC0415

        folder = find_run(run, load_settings(options).settings.run.runs_path)
        file, summary_file = folder.audit_file, folder.summary_file
    proof = examine(file, summary_file=summary_file, public_key_file=public_key)
    _show(proof, as_json=as_json)
    if not proof.is_intact:
        return exits.MISMATCH
    return exits.OK if proof.finding.has_ended else exits.NOT_ALL


@audit.command(
    cls=Verb,
    short_help="Make a key pair to sign audit logs with.",
    examples=["bulkpause audit keygen", "bulkpause audit keygen /etc/bulkpause/audit-key.pem"],
)
@click.argument("file", type=_FILE, default="audit-key.pem")
def keygen(file: Path) -> None:
    """Write a new Ed25519 private key to FILE, for you alone, and its public key to FILE.pub, for everybody."""
    from bulkpause.proof.signing import make_key  # noqa: PLC0415

    name = make_key(file)
    click.echo(
        f"Private key {file}  (keep it where bulkpause runs, and nowhere else)\n"
        f"Public key  {file}.pub  (give it to whoever verifies)\n"
        f"Fingerprint {name}\n"
        f"Next        set audit.signing_key_file, or BULKPAUSE_AUDIT__SIGNING_KEY_FILE={file.absolute()}"
    )


def _show(proof: Proof, *, as_json: bool) -> None:
    from bulkpause.redaction import printable  # noqa: PLC0415

    finding = proof.finding
    if as_json:
        document = {
            "schema": 1,
            "audit_log": str(proof.audit_file).encode(errors="backslashreplace").decode(),
            "run_id": finding.run_id,
            "intact": proof.is_intact,
            "ended": finding.has_ended,
            "live": proof.owner is not None,
            "lines": finding.lines,
            "head": finding.head,
            "flaws": [flaw._asdict() for flaw in proof.flaws],
            "flaws_complete": finding.is_complete,
            "signature": proof.signed.value,
            "signed_by": proof.signer,
            "notes": proof.notes,
        }
        print_json(document)
        return
    words = [printable(flaw.words) for flaw in proof.flaws]
    lines = "1 line" if finding.lines == 1 else f"{finding.lines:,} lines"
    if not words:
        click.echo(f"{'OK' if proof.is_intact else 'NOT OK'}: {lines}, unbroken, {_end(proof)}.")
    else:
        click.echo(f"NOT OK: {lines}, {_end(proof)}.")
        click.echo("\n".join(f"  {text}" for text in words[:NAMED_FLAWS]))
        if len(words) > NAMED_FLAWS:
            click.echo(f"  and {len(words) - NAMED_FLAWS:,} more")
        if not finding.is_complete:
            click.echo("  and so on: too much is broken to name it all")
    click.echo(f"File      {proof.audit_file}")
    if finding.head is not None:
        click.echo(f"Head      {finding.head}")
    if proof.signer is not None:
        click.echo(f"Signed by {proof.signer}")
    for note in proof.notes:
        click.echo(note)


def _end(proof: Proof) -> str:
    from bulkpause.redaction import printable  # noqa: PLC0415

    if proof.finding.has_ended:
        return "the run ended"
    if proof.owner is not None:
        return f"the run is still going on ({printable(str(proof.owner))})"
    return "the run has not ended (or its end was cut off), and nothing vouches for its last line"
