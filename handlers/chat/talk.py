"""What a chat handler is given for one update, whichever messenger it came by."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Concatenate, ParamSpec, TypeVar

from aiogram.types import BufferedInputFile, ReplyKeyboardMarkup
from sqlalchemy.orm import Session

from handlers.chat import commands
from handlers.chat.voice import Voice
from handlers.words import Words
from loyalty.customers.customers import Person
from store.engine import Work
from store.media import File
from store.shops import Shop

T = TypeVar("T")
P = ParamSpec("P")


@dataclass(frozen=True, slots=True)
class Can:
    """What a messenger can; handlers ask this, never which messenger it is."""

    share_phone: bool
    """Its client proves the sender's own phone number by a button."""
    own_page: bool
    """It is a page of ours: its words follow the language that is chosen, and a demo may show there the code that proves
    a typed number.
    """


class Kept(BufferedInputFile):
    """Bytes to send, put into the store under their content address by the outbox. Pictures have their size known."""

    def __init__(
        self, content: bytes, name: str, mime: str, width: int | None = None, height: int | None = None
    ) -> None:
        super().__init__(content, filename=name)
        self.mime = mime
        self.width = width
        self.height = height


@dataclass(slots=True)
class Talk:
    """One update's work: the store's two verbs, who is talking, in which words, and what the messenger can."""

    work: Work
    account: str
    user_id: int
    can: Can
    link: Callable[[str], str]
    """This messenger's link for a start payload."""
    links: Callable[[str], list[tuple[str, str]]]
    """(messenger's name, link) on every messenger for a start payload."""
    write_own: Callable[..., Any]
    person: Person
    words: Words
    shop: Shop
    at: datetime
    demo: bool = False
    """A demo shows what would go out by SMS."""
    first: bool = False
    """Nothing they sent here was handled before: their account was not known to us."""
    codes: bool = False
    """Whether a code can be brought to a typed phone number at all."""
    files: Callable[[Any], list[File]] = field(default=lambda _message: [])
    """The files that a message carries."""
    voice: Voice = field(init=False)

    def __post_init__(self) -> None:
        self.voice = Voice(self.words, self.person.address, self.person.name)

    async def own(self, rule: Callable[Concatenate[Session, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Write in a work of its own, committed at once: for what may stand even if this update has to run again (a code
        made the first time it is asked for), before something slow.
        """
        return await self.write_own(rule, *args, **kwargs)  # type: ignore[no-any-return]

    def say(self, message: str, /, **values: Any) -> str:
        """A text for this person; see Voice."""
        return self.voice.say(message, **values)

    @property
    def customer_id(self) -> int:
        return self.person.customer_id

    @property
    def keyboard(self) -> ReplyKeyboardMarkup:
        """The buttons under the chat; one that shares the phone among them while it is unknown."""
        return commands.keyboard(self.words, share_phone=self.can.share_phone and not self.person.has_phone)
