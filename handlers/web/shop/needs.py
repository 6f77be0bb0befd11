"""What needs the owner today: a registry of checks, each a plain function that looks into the store and says one thing in
plain words, with where to go. The most severe come first; a check that finds nothing says nothing.

A part of the product that can need somebody adds its function to `CHECKS` (in `handlers.web.shop.checks`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum

from sqlalchemy.orm import Session

from handlers.web.shop.frame import Frame
from handlers.words import Words

SHOWN = 5


class Severity(IntEnum):
    HARM = 3
    """Somebody is kept waiting or something is lost right now."""
    SOON = 2
    """It becomes a harm within days, or waits for a decision."""
    CHANCE = 1
    """Nothing is wrong; something can be won."""
    STEP = 0
    """Nothing needs anybody: good news, or the next good step."""


@dataclass(frozen=True, slots=True)
class Need:
    """One thing: what, why it matters, what to do about it and where (`action` leads to `href`)."""

    severity: Severity
    icon: str
    title: str
    words: str
    action: str
    href: str

    @property
    def tone(self) -> str:
        return {Severity.HARM: "bad", Severity.SOON: "warn", Severity.CHANCE: "brand", Severity.STEP: "good"}[
            self.severity
        ]


@dataclass(frozen=True, slots=True)
class Ask:
    """What a check is given: who asks at which shop, in which words, and the messengers that the bot is on."""

    here: Frame
    said: Words
    messengers: Sequence[str]


Check = Callable[[Session, Ask], Need | None]


def gather(session: Session, ask: Ask, checks: Sequence[Check]) -> list[Need]:
    """What the checks found, the most severe first, else in the checks' own order."""
    found = [need for check in checks if (need := check(session, ask)) is not None]
    return sorted(found, key=lambda need: -need.severity)
