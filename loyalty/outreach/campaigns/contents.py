"""Contents: what a campaign's or a journey's message carries beside its words: pictures above them, buttons below.

A button opens a web address (by a short link), opens one of the chat's own places, hands out the campaign's voucher to who
asks for it, or says its words to the shop, which opens a request. Each tap is counted like an opened link.
"""

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy.orm import Session

from loyalty.customers.customers import LANGUAGES
from store import media
from store.errors import InvalidError, NotFoundError

BUTTONS_MAX = 3
LABEL_CHARS_MAX = 40
PICTURES_MAX = 10
"""Of an album."""
CAPTION_CHARS = 1_024
"""So long words still stand below a single picture; longer ones follow it."""
PLACES = ("points", "card", "rewards", "vouchers", "invite", "challenges", "support")
_ADDRESS = re.compile(r"https?://[^\s<>\"]{3,1990}")


class ButtonKind(StrEnum):
    LINK = "link"
    OPEN = "open"
    CLAIM = "claim"
    REPLY = "reply"


@dataclass(frozen=True, slots=True)
class Button:
    """What it says by language, and what it does; `to`: a link's address, or one of PLACES."""

    kind: ButtonKind
    words: dict[str, str]
    to: str = ""

    def label(self, language: str) -> str:
        """What it says to a reader; who speaks another language reads the first."""
        return self.words.get(language) or next(iter(self.words.values()))


@dataclass(frozen=True, slots=True)
class Picture:
    """Stored bytes; `width` and `height` in px."""

    sha: str
    name: str
    width: int
    height: int


def buttons_of(written: Sequence[dict[str, Any]] | None) -> list[Button]:
    """As they were written down."""
    return [Button(ButtonKind(one["kind"]), one["words"], one["to"]) for one in written or ()]


def pictures_of(written: Sequence[dict[str, Any]] | None) -> list[Picture]:
    """As they were written down."""
    return [Picture(**one) for one in written or ()]


def keep(session: Session, content: bytes, size: tuple[int, int], name: str = "") -> Picture:
    """Keep a JPEG of `size` px, to be sent as often as the shop likes."""
    return Picture(media.keep(session, content, "image/jpeg", *size, ours=True), name or "picture.jpg", *size)


def kept(session: Session, shas: Sequence[str]) -> list[Picture]:
    """The shop's own pictures at these addresses; what isn't one is left out."""
    found = []
    for sha in shas:
        try:
            facts = media.facts(session, sha)
        except NotFoundError:
            continue
        if facts.ours and facts.mime.startswith("image/") and facts.width and facts.height:
            found.append(Picture(sha, f"picture.{facts.mime.removeprefix('image/')}", facts.width, facts.height))
    return found


def check_pictures(session: Session, shas: Sequence[str], field: str) -> list[Picture]:
    """The same, all of them. Raises InvalidError, `field` or `field.0` its field."""
    if len(shas) > PICTURES_MAX:
        raise InvalidError(field, "count", PICTURES_MAX)
    for place, sha in enumerate(shas):
        if not kept(session, [sha]):
            raise InvalidError(f"{field}.{place}", "unknown", sha)
    return kept(session, shas)


def written(those: Sequence[Button] | Sequence[Picture]) -> list[dict[str, Any]]:
    """To be written down."""
    return [asdict(one) for one in those]


def messages(pictures: Sequence[Any]) -> int:
    """Of how many messages it is made: an album counts each of its pictures, and its words follow."""
    return len(pictures) + 1 if len(pictures) > 1 else 1


def check(buttons: Sequence[Button], *, voucher: bool) -> None:
    """Whether buttons can be sent. Raises InvalidError, `buttons` or `buttons.0.words` its field."""
    if len(buttons) > BUTTONS_MAX:
        raise InvalidError("buttons", "range", BUTTONS_MAX)
    for place, button in enumerate(buttons):
        field = f"buttons.{place}"
        if not button.words:
            raise InvalidError(f"{field}.words", "required")
        for language, label in button.words.items():
            if language not in LANGUAGES:
                raise InvalidError(f"{field}.words", "unknown", language)
            if not 1 <= len(label.strip()) <= LABEL_CHARS_MAX:
                raise InvalidError(f"{field}.words", "length", LABEL_CHARS_MAX)
        if button.kind is ButtonKind.LINK and not _ADDRESS.fullmatch(button.to):
            raise InvalidError(f"{field}.to", "address", button.to)
        if button.kind is ButtonKind.OPEN and button.to not in PLACES:
            raise InvalidError(f"{field}.to", "unknown", button.to)
        if button.kind is ButtonKind.CLAIM and not voucher:
            raise InvalidError("voucher_program", "required")
    if sum(button.kind is ButtonKind.CLAIM for button in buttons) > 1:
        raise InvalidError("buttons", "repeated", ButtonKind.CLAIM)


def claimed(buttons: Sequence[Button]) -> bool:
    """Whether the voucher goes only to who asks for it."""
    return any(button.kind is ButtonKind.CLAIM for button in buttons)
