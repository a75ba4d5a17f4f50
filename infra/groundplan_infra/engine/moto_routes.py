"""Answers calls before they reach moto: routes by service, method and path, a store of things, a WSGI application."""

import json
import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from moto.core import DEFAULT_ACCOUNT_ID

SERVICE = re.compile(r"Credential=[^/]+/\d+/(?P<region>[^/]+)/(?P<service>[^/]+)/aws4_request")
READS = {"GET", "HEAD"}
Body = dict[str, Any]


class NotFoundError(Exception):
    """There is no such thing; the service's own name of that error is `code`."""

    def __init__(self, code: str = "ResourceNotFoundException") -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True)
class Call:
    """A call: where to, what with."""

    region: str
    body: Body
    parts: tuple[str, ...] = ()

    def arn(self, service: str, kind: str) -> str:
        """ARN of a thing of this region."""
        return f"arn:aws:{service}:{self.region}:{DEFAULT_ACCOUNT_ID}:{kind}"


@dataclass
class Store:
    """Things by kind and key; calls come one at a time."""

    things: dict[tuple[str, ...], Body] = field(default_factory=dict)

    def put(self, *key: str, thing: Body) -> Body:
        """Keep a thing; gives it back."""
        self.things[key] = thing
        return thing

    def get(self, *key: str, missing: str = "ResourceNotFoundException") -> Body:
        """A thing; raises NotFoundError."""
        if key not in self.things:
            raise NotFoundError(missing)
        return self.things[key]

    def pop(self, *key: str) -> Body:
        """Remove a thing; gives it back, raises NotFoundError."""
        return self.things.pop(key) if key in self.things else self.get(*key)

    def below(self, *key: str) -> list[Body]:
        """Things whose key begins so."""
        return [thing for there, thing in self.things.items() if there[: len(key)] == key]


STORE = Store()
Handler = Callable[[Call], Body]
ROUTES: list[tuple[str, str, re.Pattern[str], Handler]] = []


def route(service: str, method: str, path: str) -> Callable[[Handler], Handler]:
    """Register a handler; `path` is a pattern, or the operation where the service takes it from a header."""

    def register(handler: Handler) -> Handler:
        ROUTES.append((service, method, re.compile(path), handler))
        return handler

    return register


def find(service: str, method: str, place: str) -> tuple[Handler, tuple[str, ...]] | None:
    """The handler of a call, and the parts of its path."""
    for known, verb, pattern, handler in ROUTES:
        match = pattern.fullmatch(place) if (known, verb) == (service, method) else None
        if match:
            return handler, match.groups()
    return None


@dataclass(frozen=True)
class Answer:
    """What a call gets: status line, headers, body."""

    status: str
    headers: list[tuple[str, str]]
    body: bytes


class Supplements:
    """A WSGI application before another: it answers what it knows and passes the rest on.

    It takes one call at a time: moto is not made for more. Under load a client may lose an answer on its way and send
    the call again; it then gets the first answer, where moto would find that the thing exists already.
    """

    REMEMBERED = 256

    def __init__(self, application: Callable[..., Iterable[bytes]]) -> None:
        self.application = application
        self.one_at_a_time = threading.Lock()
        self.given: OrderedDict[str, Answer] = OrderedDict()

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        # The SDKs send the same id with each attempt of a call.
        invocation = environ.get("HTTP_AMZ_SDK_INVOCATION_ID", "") if environ["REQUEST_METHOD"] not in READS else ""
        with self.one_at_a_time:
            if invocation in self.given:
                environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
                answer = self.given[invocation]
            else:
                answer = self.answer(environ)
                if invocation and answer.status < "500":
                    self.given[invocation] = answer
                    if len(self.given) > self.REMEMBERED:
                        self.given.popitem(last=False)
        start_response(answer.status, answer.headers)
        return [answer.body]

    def answer(self, environ: dict[str, Any]) -> Answer:
        """Answer a call from the routes, or let the other application do it."""
        scope = SERVICE.search(environ.get("HTTP_AUTHORIZATION", ""))
        target = environ.get("HTTP_X_AMZ_TARGET", "").rsplit(".", 1)[-1]
        place = target or unquote(environ.get("PATH_INFO", ""))
        found = find(scope["service"], environ["REQUEST_METHOD"], place) if scope else None
        if not scope or not found:
            return answer_of(self.application, environ)
        raw = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        handler, parts = found
        try:
            status, body, error = "200 OK", handler(Call(scope["region"], json.loads(raw or b"{}"), parts)), ""
        except NotFoundError as missing:
            status, body, error = "404 Not Found", {"__type": missing.code, "message": "not found"}, missing.code
        headers = [("Content-Type", "application/x-amz-json-1.1" if target else "application/json")]
        return Answer(status, [*headers, *([("x-amzn-ErrorType", error)] if error else [])], json.dumps(body).encode())


def answer_of(application: Callable[..., Iterable[bytes]], environ: dict[str, Any]) -> Answer:
    """All that a WSGI application answers to a call."""
    heads: list[tuple[str, list[tuple[str, str]]]] = []
    body = b"".join(application(environ, lambda status, headers, *_: heads.append((status, headers))))
    return Answer(*heads[-1], body)
