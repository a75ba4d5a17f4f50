"""What happened and when: lines in the terminal as it happens, and a page in the end."""

import time
from collections.abc import Iterable
from html import escape
from pathlib import Path

import msgspec

STYLE = """
:root { color-scheme: light dark; --line: #8886; --accent: #2f6fde; --bad: #c93c37; --good: #2c8a4b; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 52rem; margin: 2rem auto; padding: 0 1rem; }
ol { list-style: none; margin: 2rem 0; padding: 0; border-left: 2px solid var(--line); }
li { position: relative; padding: .2rem 0 .9rem 1.4rem; }
li::before { content: ""; position: absolute; left: -.45rem; top: .55rem; width: .75rem; height: .75rem;
  border-radius: 50%; background: var(--accent); }
li.bad::before { background: var(--bad); }
li.good::before { background: var(--good); }
time { font-variant-numeric: tabular-nums; opacity: .7; margin-right: .6rem; }
small { display: block; opacity: .8; white-space: pre-line; }
"""


class Event(msgspec.Struct):
    """Seconds since the beginning, what happened, more of it, and whether it was `good`, `bad` or neither."""

    seconds: float
    text: str
    detail: str = ""
    kind: str = ""


class Timeline:
    """Collects events and prints each."""

    def __init__(self, title: str) -> None:
        self.title, self.began = title, time.monotonic()
        self.events: list[Event] = []

    def add(self, text: str, detail: str = "", kind: str = "") -> None:
        """Something happened just now."""
        event = Event(time.monotonic() - self.began, text, detail, kind)
        self.events.append(event)
        print(line(event), flush=True)

    def write(self, path: Path) -> None:
        """The page, and the same as text beside it."""
        path.write_text(page(self.title, self.events), encoding="utf-8")
        text = "\n".join(line(event) for event in self.events)
        path.with_suffix(".txt").write_text(f"{self.title}\n{text}\n", encoding="utf-8")


def line(event: Event) -> str:
    """An event in the terminal."""
    detail = "".join(f"\n         {each}" for each in event.detail.splitlines())
    return f"{event.seconds:6.1f} s {event.text}{detail}"


def page(title: str, events: Iterable[Event]) -> str:
    """All events as a page."""
    items = "\n".join(
        f'<li class="{event.kind}"><time>{event.seconds:.1f} s</time>{escape(event.text)}'
        + (f"<small>{escape(event.detail)}</small>" if event.detail else "")
        + "</li>"
        for event in events
    )
    return (
        f'<!doctype html>\n<html lang="en">\n<head><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{STYLE}</style></head>\n<body>\n<h1>{escape(title)}</h1>\n<ol>\n{items}\n</ol>\n</body>\n</html>\n"
    )
