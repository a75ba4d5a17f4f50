"""How every command starts and fails: one clear line, never a traceback for a mistake that a person can mend."""

import re
import signal
import sys
from collections.abc import Callable


class UserError(Exception):
    """Something the person at the keyboard can mend; the text says what, where, and what to do."""


def reason(error: Exception) -> str:
    """The first line of an error, or its kind when it has no text; without the credentials of any address in it."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return without_credentials(lines[0])[:300]


def on_one_line(error: Exception) -> str:
    """The whole text of an error of a YAML reader, which spreads it over lines and names the file in its own way."""
    return re.sub(r'\s*in "<[^>]*>", ', ": ", " ".join(str(error).split()))


def without_credentials(text: str) -> str:
    """A text without the names and passwords that addresses in it may carry."""
    return re.sub(r"//[^/@\s]+@", "//***@", text)


def run(main: Callable[[], None]) -> None:
    """Call `main`; a UserError becomes one line on stderr and exit code 1, Ctrl-C exit code 130.

    A task that is told to end ends as by Ctrl-C, so that the programs which it has started end too.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        main()
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None
