"""Fair chance: a seed that is sworn to before the first draw and shown after the last, so that anybody can re-check all of
them. Nothing here touches the store; docs/lucky-draw.md tells a stranger how to do the same.
"""

import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping, Sequence
from typing import Any

TEN_THOUSAND = 10_000
"""Odds are so many draws in ten thousand."""


def new_seed() -> str:
    """256 random bits as 64 hexadecimal signs."""
    return secrets.token_hex(32)


def commitment(seed: str) -> str:
    """What is published of a seed before the first draw: its SHA-256."""
    return hashlib.sha256(bytes.fromhex(seed)).hexdigest()


def digest(seed: str, number: int, customer: int, entry: str) -> str:
    """HMAC-SHA256 of `number|customer|entry` under the seed, in hexadecimal."""
    return hmac.new(bytes.fromhex(seed), f"{number}|{customer}|{entry}".encode(), hashlib.sha256).hexdigest()


def value(digest: str, of: int) -> int:
    """The digest as a number from 0 to below `of`. (A remainder of 256 bits favours none by more than 1 in 2²⁰⁰.)"""
    return int(digest, 16) % of


def genesis(terms: Mapping[str, Any]) -> str:
    """Where the log's chain begins: the SHA-256 of the terms, so that they can't be changed afterwards either."""
    said = json.dumps(terms, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(said.encode()).hexdigest()


def link(before: str, line: Sequence[object]) -> str:
    """The hash of a line of the log, chained to the one before it."""
    return hashlib.sha256("|".join([before, *map(str, line)]).encode()).hexdigest()


def chances(terms: Mapping[str, Any], number: int) -> int:
    """How many equal chances the draw of this number has: ten thousand, or the tickets that are still in the drum."""
    return TEN_THOUSAND if terms["mode"] == "odds" else int(terms["tickets"]) - number + 1


def pick(terms: Mapping[str, Any], left: Mapping[int, int], value: int) -> int:
    """The place of the prize that a value draws, 0 for none. `left` is what is left of each prize by its place.

    By odds, a prize that has run out is no prize (`when_out` "nothing") or the next in the list that is there ("next").
    By tickets, what is left of each prize are its tickets in the drum.
    """
    prizes = terms["prizes"]
    for index, prize in enumerate(prizes):
        share = int(prize["odds"]) if terms["mode"] == "odds" else left[prize["place"]]
        if value < share:
            if left[prize["place"]] > 0:
                return int(prize["place"])
            if terms["when_out"] != "next":
                return 0
            return next((int(other["place"]) for other in prizes[index + 1 :] if left[other["place"]] > 0), 0)
        value -= share
    return 0
