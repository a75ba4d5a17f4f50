"""What identifies a person, looked for in the values of a table: stage ingest stops where nobody allowed it.

Only forms that can be recognised by themselves are looked for; a name or an address in words is not. A column that is
allowed to hold them is listed in params.yaml, under data.personal.
"""

import re
from collections.abc import Callable

import msgspec
import pandas as pd

from ..cli import UserError

MOST_VALUES = 100_000  # distinct values of a column that are looked at
MAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)*\.[A-Za-z]{2,}")
IBAN = re.compile(r"[A-Z]{2}\d{2}[A-Z0-9]{11,30}")
PHONE = re.compile(r"(?:\+|00)[1-9]\d{0,3}[ ()./\d-]{6,20}")
SOCIAL_SECURITY = re.compile(r"(?!000|666|9\d\d)\d{3}-(?!00)\d{2}-(?!0000)\d{4}")
ADDRESS = re.compile(r"(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)")


class PersonalData(msgspec.Struct):
    """A column that holds what identifies a person: what it is, in which share of the values, and if it is allowed."""

    column: str
    kind: str
    share: float
    allowed: bool


def is_iban(text: str) -> bool:
    """An account number whose check digits fit (ISO 13616)."""
    compact = text.replace(" ", "").upper()
    if not IBAN.fullmatch(compact):
        return False
    moved = compact[4:] + compact[:4]
    return int("".join(str(int(character, 36)) for character in moved)) % 97 == 1


def is_card(text: str) -> bool:
    """A payment card number whose check digit fits (ISO/IEC 7812, Luhn)."""
    compact = text.replace(" ", "").replace("-", "")
    if not (compact.isdecimal() and 13 <= len(compact) <= 19 and compact[0] in "23456"):
        return False
    doubled = [int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(compact))]
    return sum(number // 10 + number % 10 for number in doubled) % 10 == 0


# For each kind: how a value is recognised, and from which share of the values on the column is taken for one. Where
# chance makes up such values (numbers, versions), most must be of the kind.
KINDS: dict[str, tuple[Callable[[str], object], float]] = {
    "e-mail addresses": (MAIL.search, 0.0),
    "bank account numbers": (is_iban, 0.0),
    "payment card numbers": (is_card, 0.5),
    "phone numbers": (PHONE.fullmatch, 0.5),
    "social security numbers": (SOCIAL_SECURITY.fullmatch, 0.5),
    "IP addresses": (ADDRESS.fullmatch, 0.5),
}


def scan(frame: pd.DataFrame, allowed: list[str]) -> list[PersonalData]:
    """The columns of a table of texts that hold what identifies a person."""
    found = []
    for column in frame.columns:
        counts = frame[column].dropna().value_counts()
        values, weights = [str(value).strip() for value in counts.index[:MOST_VALUES]], counts.to_numpy()[:MOST_VALUES]
        for kind, (recognises, least) in KINDS.items():
            hits = sum(int(weight) for value, weight in zip(values, weights, strict=True) if recognises(value))
            if hits and hits > least * weights.sum():
                share = round(hits / int(weights.sum()), 6)
                found.append(PersonalData(str(column), kind, share, str(column) in allowed))
    return found


def check_personal(found: list[PersonalData], columns: list[str], allowed: list[str], source: str) -> None:
    """Raise UserError for a column that is not allowed to hold what it holds, and for one that does not exist."""
    unknown = [name for name in allowed if name not in columns]
    if unknown:
        raise UserError(f"params.yaml, data.personal: {source} has no column {unknown[0]!r}")
    refused = [
        f"{each.column!r} ({each.kind}, {format(each.share, '.1%')} of the values)"
        for each in found
        if not each.allowed
    ]
    if refused:
        raise UserError(
            f"{source} identifies persons in column {', '.join(refused)}; take a table without it, "
            "or allow it in params.yaml, data.personal"
        )
