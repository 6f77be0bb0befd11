"""Sealed: what the store has to give back as it was (a bot's token, a webhook's secret), kept so that a copy of the
database alone doesn't tell it. The seed of a draw is, until it is published.
"""

import base64
import hashlib

from cryptography.fernet import Fernet, InvalidToken
from sqlalchemy.orm import Session


class SealError(Exception):
    """What is kept was sealed under another secret key, or is damaged."""


class Seal:
    """Closes and opens texts under the installation's secret key (AES-128-CBC with HMAC-SHA256, by Fernet)."""

    def __init__(self, secret_key: str) -> None:
        self._fernet = Fernet(base64.urlsafe_b64encode(hashlib.sha256(b"sealed:" + secret_key.encode()).digest()))

    def close(self, text: str) -> str:
        """The text, unreadable: ASCII, about 100 signs more."""
        return self._fernet.encrypt(text.encode()).decode()

    def open(self, sealed: str) -> str:
        """The text again. Raises SealError."""
        try:
            return self._fernet.decrypt(sealed.encode()).decode()
        except (InvalidToken, UnicodeError) as error:
            raise SealError from error


def of(session: Session) -> Seal:
    """The seal that the store was opened with, for rules. Raises SealError where it was opened with none."""
    seal: Seal | None = session.info["seal"]
    if seal is None:
        raise SealError("the store was opened without a secret key")
    return seal
