"""The trigger: an HTTP address on this machine that starts a retraining or a rollback, one of a kind at a time.

POST /retrain takes a body signed with the trigger's secret: X-Timestamp (seconds since 1970) and X-Signature, `sha256=`
and the HMAC-SHA256 of the timestamp, a dot and the body. POST /alerts is for Alertmanager, which cannot sign: it shows
a token that is made from the secret. Of its alerts, those whose label `action` is `retrain` or `rollback` count.
"""

import hashlib
import hmac
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import msgspec

from ..cli import UserError

REPLAY_SECONDS = 300
MOST_BYTES = 1_000_000
RETRAIN, ROLLBACK = "retrain", "rollback"
Reply = tuple[int, str]


class Cause(msgspec.Struct, frozen=True):
    """Why something is done: in words, and the version that an alert is about."""

    text: str
    version: str = ""


Action = Callable[[Cause], str]


def load_secret(path: Path, given: str) -> str:
    """The secret: the one that is given, else one that is made once and kept for its owner alone."""
    if given:
        return given
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_text(secrets.token_hex(32), encoding="utf-8")
    return path.read_text(encoding="utf-8").strip()


def sign(secret: str, timestamp: str, body: bytes) -> str:
    """What X-Signature must hold."""
    return "sha256=" + hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()


def alerts_token(secret: str) -> str:
    """What Alertmanager shows; whoever learns it cannot sign."""
    return hmac.new(secret.encode(), b"alertmanager", hashlib.sha256).hexdigest()


class Guard:
    """Who may trigger."""

    def __init__(self, secret: str) -> None:
        self.secret = secret
        self.seen: dict[str, float] = {}
        self.lock = threading.Lock()

    def refuse_signed(self, timestamp: str, signature: str, body: bytes, now: float) -> str:
        """Why a signed request is refused; empty when it is not."""
        try:
            age = abs(now - float(timestamp))
        except ValueError:
            return "X-Timestamp is no time in seconds"
        if not hmac.compare_digest(signature.encode(), sign(self.secret, timestamp, body).encode()):
            return "X-Signature does not fit"
        if not age <= REPLAY_SECONDS:
            return f"X-Timestamp is more than {REPLAY_SECONDS} seconds off"
        with self.lock:
            self.seen = {known: at for known, at in self.seen.items() if now - at <= 2 * REPLAY_SECONDS}
            if signature in self.seen:
                return "this request was made before"
            self.seen[signature] = now
        return ""

    def refuse_token(self, authorization: str) -> str:
        """Why an alert is refused; empty when it is not."""
        fits = hmac.compare_digest(authorization.encode(), f"Bearer {alerts_token(self.secret)}".encode())
        return "" if fits else "the token does not fit"


class Runner:
    """Runs an action in a thread, one at a time, and not again before so many seconds have passed."""

    def __init__(self, name: str, action: Action, least_seconds: float) -> None:
        self.name, self.action, self.least_seconds = name, action, least_seconds
        self.lock = threading.Lock()
        self.started = float("-inf")
        self.thread: threading.Thread | None = None

    def start(self, cause: Cause, now: float) -> Reply:
        """Start, or say why not."""
        with self.lock:
            if self.thread is not None and self.thread.is_alive():
                return 409, f"a {self.name} is going on"
            if (wait := self.started + self.least_seconds - now) > 0:
                return 429, f"the last {self.name} began too recently; again in {wait:.0f} seconds"
            self.started = now
            self.thread = threading.Thread(target=self.run, args=(cause,), daemon=True)
            self.thread.start()
        return 202, f"a {self.name} has begun"

    def run(self, cause: Cause) -> None:
        """The thread: the action, and what came of it in one line."""
        print(f"{self.name}, because of {cause.text}", flush=True)
        try:
            print(self.action(cause), flush=True)
        except UserError as error:
            print(f"error: {error}", flush=True)


def causes(body: bytes) -> dict[str, Cause]:
    """For each action, the alerts of an Alertmanager message that fire and ask for it.

    Raises msgspec.DecodeError, KeyError or TypeError for another message.
    """
    found: dict[str, list[dict[str, str]]] = {}
    for alert in msgspec.json.decode(body)["alerts"]:
        if alert["status"] == "firing":
            found.setdefault(alert["labels"].get("action", ""), []).append(alert["labels"])
    return {
        action: Cause(", ".join(sorted({str(each["alertname"]) for each in labels})), labels[0].get("version", ""))
        for action, labels in found.items()
    }


def answer(guard: Guard, runners: Mapping[str, Runner], path: str, headers: Any, body: bytes) -> Reply:
    """Status and text for a request."""
    now = time.time()
    if path == "/retrain":
        refused = guard.refuse_signed(headers.get("x-timestamp", ""), headers.get("x-signature", ""), body, now)
        return (401, refused) if refused else runners[RETRAIN].start(Cause("a signed request"), now)
    if path != "/alerts":
        return 404, "there are /retrain and /alerts"
    if refused := guard.refuse_token(headers.get("authorization", "")):
        return 401, refused
    try:
        found = causes(body)
    except (msgspec.DecodeError, KeyError, TypeError, AttributeError):
        return 400, "not a message of Alertmanager"
    replies = [runner.start(found[action], now) for action, runner in runners.items() if action in found]
    if not replies:
        return 200, "nothing to do"
    # Alertmanager repeats what it could not deliver; what is not due is delivered all the same.
    return 202 if any(status == 202 for status, _ in replies) else 200, "; ".join(text for _, text in replies)


def make_server(port: int, secret: str, runners: Mapping[str, Runner]) -> ThreadingHTTPServer:
    """The trigger, listening on this machine alone; raises UserError when the port is taken."""
    guard = Guard(secret)

    class Handler(BaseHTTPRequestHandler):
        timeout = 10

        def do_POST(self) -> None:
            length = self.headers.get("content-length", "")
            if not length.isdecimal() or int(length) > MOST_BYTES:
                self.reply(413, f"a body of at most {MOST_BYTES} bytes, with its length, is needed")
                return
            self.reply(*answer(guard, runners, self.path, self.headers, self.rfile.read(int(length))))

        def reply(self, status: int, text: str) -> None:
            """Answer with a line of text."""
            self.send_response(status)
            self.send_header("content-type", "text/plain; charset=utf-8")
            self.end_headers()
            self.wfile.write(f"{text}\n".encode())

        def log_message(self, *arguments: Any) -> None:
            """Headers hold secrets; the runner tells what happens."""

    try:
        return ThreadingHTTPServer(("127.0.0.1", port), Handler)
    except OSError as error:
        raise UserError(f"TRIGGER_PORT={port}: {error.strerror}") from None
