"""Hook: `.copier-answers.yml` is as Copier wrote it. A hand-edited answer would make the next update believe it."""

import hashlib
import re
from pathlib import Path

from ..cli import UserError, run

ANSWERS = Path(".copier-answers.yml")
DIGEST = re.compile(r"^# digest: ([0-9a-f]{64})$", re.MULTILINE)


def is_untouched(text: str) -> bool:
    """Whether the digest in the head of the file fits the answers below it."""
    found = DIGEST.search(text)
    body = "".join(line for line in text.splitlines(keepends=True) if not line.startswith("#"))
    return found is not None and hashlib.sha256(body.encode()).hexdigest() == found[1]


def main() -> None:
    """Check the file of this repository."""
    if not is_untouched(ANSWERS.read_text(encoding="utf-8")):
        raise UserError(
            f"{ANSWERS} was edited by hand; restore it with `git checkout HEAD -- {ANSWERS}` and change an answer with "
            "`copier update --vcs-ref :current: --data name=value`"
        )


if __name__ == "__main__":
    run(main)
