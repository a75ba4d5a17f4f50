"""How every command starts and fails: one clear line, never a traceback for a mistake that a person can mend."""

import sys
from collections.abc import Callable


class UserError(Exception):
    """Something the person at the keyboard can mend; the text says what, where, and what to do."""


def run(main: Callable[[], None]) -> None:
    """Call `main`; a UserError becomes one line on stderr and exit code 1, Ctrl-C exit code 130."""
    try:
        main()
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None
