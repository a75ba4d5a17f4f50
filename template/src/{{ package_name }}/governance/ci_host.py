"""Calls to the CI system's host, GitHub or GitLab, with CI_TOKEN; the token is in a header, never in an address."""

import urllib.error
import urllib.request
from typing import Any

import msgspec

from ..cli import UserError, reason
from ..settings import Settings

API_URLS: dict[str, str] = {"github": "https://api.github.com", "gitlab": "https://gitlab.com/api/v4"}
TIMEOUT_SECONDS = 30


def check_settings(settings: Settings, why: str) -> None:
    """Raise UserError when a setting is missing that a call needs."""
    missing = [name for name in ("ci_repository", "ci_token") if not getattr(settings, name)]
    if missing:
        raise UserError(f"{why} needs {missing[0].upper()}")


def call(host: str, settings: Settings, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
    """Call the API of the host; returns the JSON of the answer, None for an empty one.

    Raises UserError when the host refuses or does not answer.
    """
    url = (settings.ci_api_url or API_URLS[host]).rstrip("/") + path
    if host == "github":
        headers = {"Authorization": f"Bearer {settings.ci_token}", "Accept": "application/vnd.github+json"}
    else:
        headers = {"PRIVATE-TOKEN": settings.ci_token}
    data = None if body is None else msgspec.json.encode(body)
    headers |= {"Content-Type": "application/json"} if data else {}
    request = urllib.request.Request(url, data=data, headers=headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:
            content = answer.read()
    except urllib.error.HTTPError as error:
        raise UserError(f"{host} answers {error.code} {error.reason} to {method} {url}") from None
    except OSError as error:
        raise UserError(f"{url} does not answer: {reason(error)}") from None
    return msgspec.json.decode(content) if content else None
