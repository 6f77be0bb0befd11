"""Secrets handed to people: random tokens of which only a hash is stored, and short codes a person can read aloud."""

import hashlib
import secrets

READABLE = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
"""31 signs that can't be taken for one another."""


def token(random_bytes: int = 18) -> str:
    """A URL-safe secret of 144 random bits, 24 signs; fits Telegram's 64-sign start payload with its prefix."""
    return secrets.token_urlsafe(random_bytes)


def digest(secret: str) -> str:
    """What is stored of a secret of full randomness: SHA-256, for there is nothing to guess from."""
    return hashlib.sha256(secret.encode()).hexdigest()


def code(length: int) -> str:
    """A code of `length` readable signs (4.95 random bits each)."""
    signs = ""
    while len(signs) < length:
        # One draw for all signs; bytes beyond a whole multiple of the alphabet would favour its beginning.
        drawn = secrets.token_bytes(2 * length)
        signs += "".join(READABLE[byte % len(READABLE)] for byte in drawn if byte < 256 - 256 % len(READABLE))
    return signs[:length]


def digits(length: int) -> str:
    """A one-time code of decimal digits."""
    return "".join(secrets.choice("0123456789") for _ in range(length))
