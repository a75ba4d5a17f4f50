"""The audit log: who promoted or rolled back what, one JSON object a line, each holding the hash of the one before.

`make audit` recomputes the chain: a line that was changed, removed or put in between breaks it. The end of the log is
only as safe as its copies, so commit it.
"""

import fcntl
import getpass
import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ..cli import UserError, run
from ..pipeline.paths import AUDIT_LOG
from .lineage import git

GENESIS = "0" * 64


def entry_hash(entry: dict[str, Any]) -> str:
    """SHA-256 of an entry without its own hash, as canonical JSON."""
    body = {name: value for name, value in entry.items() if name != "hash"}
    return hashlib.sha256(json.dumps(body, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def actor() -> str:
    """Who acts: the git identity, else the user of the machine."""
    return git("config", "user.email") or getpass.getuser()


def append(action: str, details: dict[str, Any], path: Path = AUDIT_LOG) -> dict[str, Any]:
    """Add an entry; safe against another process doing the same. Raises UserError when the log is broken already."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        entries = check_chain(file.read(), path)
        entry: dict[str, Any] = {
            "sequence": len(entries) + 1,
            "time": datetime.now(UTC).isoformat(timespec="seconds"),
            "actor": actor(),
            "action": action,
            "details": details,
            "previous": entries[-1]["hash"] if entries else GENESIS,
        }
        entry["hash"] = entry_hash(entry)
        file.write(json.dumps(entry, sort_keys=True) + "\n")
    return entry


def check_chain(text: str, path: Path) -> list[dict[str, Any]]:
    """The entries of a log; raises UserError naming the first line that does not hold."""
    entries: list[dict[str, Any]] = []
    previous = GENESIS
    for number, line in enumerate(text.splitlines(), start=1):
        try:
            entry = json.loads(line)
            holds = entry["hash"] == entry_hash(entry) and entry["previous"] == previous and entry["sequence"] == number
        except (ValueError, KeyError, TypeError, AttributeError):
            raise UserError(f"{path}, line {number}: not an entry of an audit log") from None
        if not holds:
            raise UserError(f"{path}, line {number}: the chain is broken here; compare with the committed history")
        previous = entry["hash"]
        entries.append(entry)
    return entries


def main() -> None:
    """Verify the log and print it."""
    if not AUDIT_LOG.exists():
        print(f"{AUDIT_LOG}: no entry yet; the first promotion writes one.")
        return
    entries = check_chain(AUDIT_LOG.read_text(encoding="utf-8"), AUDIT_LOG)
    for entry in entries:
        details = ", ".join(
            f"{name} {value}"
            for name, value in entry["details"].items()
            if value not in (None, "") and not isinstance(value, list | dict)
        )
        print(f"{entry['time']}  {entry['actor']}  {entry['action']}: {details}")
    print(f"{AUDIT_LOG}: {len(entries)} entries, chain intact, last hash {entries[-1]['hash'][:12]}.")


if __name__ == "__main__":
    run(main)
