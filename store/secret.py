"""Secrets handed to people: random tokens of which only a hash is stored, and short codes a person can read aloud."""

import hashlib
import secrets

READABLE = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
"""31 signs that can't be taken for one another."""
_SIGN_OF = bytes(READABLE[byte % len(READABLE)].encode()[0] for byte in range(256))
_UNFAIR = bytes(range(256 - 256 % len(READABLE), 256))
"""Bytes beyond a whole multiple of the alphabet would favour its beginning."""


def token(random_bytes: int = 18) -> str:
    """A URL-safe secret of 144 random bits, 24 signs; fits Telegram's 64-sign start payload with its prefix."""
    return secrets.token_urlsafe(random_bytes)


def digest(secret: str) -> str:
    """What is stored of a secret of full randomness: SHA-256, for there is nothing to guess from."""
    return hashlib.sha256(secret.encode()).hexdigest()


def code(length: int) -> str:
    """A code of `length` readable signs (4.95 random bits each)."""
    return codes(length, 1)[0]


def codes(length: int, count: int) -> list[str]:
    """So many codes at once, by one draw."""
    wanted, signs = length * count, b""
    while len(signs) < wanted:
        # Somewhat more than is wanted, for the unfair ones fall out.
        signs += secrets.token_bytes(wanted + wanted // 16 + 16).translate(_SIGN_OF, _UNFAIR)
    text = signs.decode()
    return [text[start : start + length] for start in range(0, wanted, length)]


def digits(length: int) -> str:
    """A one-time code of decimal digits."""
    return "".join(secrets.choice("0123456789") for _ in range(length))
