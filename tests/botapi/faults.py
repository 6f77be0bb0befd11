"""Faults on demand: what goes wrong between a bot and Telegram."""

from dataclasses import dataclass
from typing import Literal, get_args

from .errors import Refusal

Kind = Literal[
    "429",  # too many requests, with retry_after
    "blocked",  # 403
    "deactivated",  # 403
    "chat_not_found",  # 400
    "thread_not_found",  # 400; `text` for the other wordings (TOPIC_DELETED, TOPIC_ID_INVALID)
    "thread_ignored",  # accepted, but the message lands in General
    "error",  # any `code` and `text`
    "500",  # ok:false
    "502",  # a proxy's HTML page
    "closed",  # the connection is closed before the body is read; nothing happened
    "cut",  # carried out, then the connection is cut
    "hang",  # carried out, then silence for `seconds`
    "slow",  # carried out and answered after `seconds`
    "redelivered",  # the next update comes twice
    "reordered",  # the next two updates change places
    "hologram",  # an update of a kind nobody knows, at once
]
KINDS = frozenset(get_args(Kind))
OF_UPDATES = frozenset({"redelivered", "reordered", "hologram"})


@dataclass
class Fault:
    """One fault, waiting for the calls it strikes. `method` and `chat` None strike any; `times` None strikes always."""

    kind: Kind
    method: str | None = None
    chat: int | None = None
    times: int | None = 1
    retry_after: int = 1
    seconds: float = 60.0
    code: int = 400
    text: str | None = None
    struck: int = 0

    @property
    def spent(self) -> bool:
        """Whether it has struck as often as it should."""
        return self.times is not None and self.struck >= self.times

    def matches(self, method: str, chat: int | None) -> bool:
        """Whether it strikes this call."""
        return (
            not self.spent
            and (self.method is None or self.method.lower() == method.lower())
            and (self.chat is None or self.chat == chat)
        )

    def refusal(self) -> Refusal | None:
        """The refusal it answers with; None for faults of another nature."""
        match self.kind:
            case "429":
                return Refusal(429, f"Too Many Requests: retry after {self.retry_after}", retry_after=self.retry_after)
            case "blocked":
                return Refusal(403, "bot was blocked by the user")
            case "deactivated":
                return Refusal(403, "user is deactivated")
            case "chat_not_found":
                return Refusal(400, "chat not found")
            case "thread_not_found":
                return Refusal(400, self.text or "message thread not found")
            case "error":
                return Refusal(self.code, self.text or "it went wrong")
            case "500":
                return Refusal(500, self.text or "Internal Server Error")
        return None


class Faults:
    """The faults in wait. Polling is struck only by a fault that names `getUpdates`."""

    def __init__(self) -> None:
        self.waiting: list[Fault] = []

    def add(self, fault: Fault) -> Fault:
        """Lay a fault in wait."""
        if fault.kind not in KINDS:
            raise ValueError(f"no such fault: {fault.kind}; there are {', '.join(sorted(KINDS))}")
        self.waiting.append(fault)
        return fault

    def clear(self) -> None:
        """Take all away."""
        self.waiting.clear()

    def strike(self, method: str, chat: int | None, *, body_read: bool) -> Fault | None:
        """The first fault that strikes this call now. One that closes the connection does so before the body is read,
        unless it waits for a certain chat."""
        if not self.waiting:
            return None
        for fault in self.waiting:
            early = fault.kind == "closed" and fault.chat is None
            if early is body_read or not fault.matches(method, chat):
                continue
            if method.lower() == "getupdates" and fault.method is None:
                continue
            fault.struck += 1
            if fault.spent:
                self.waiting.remove(fault)
            return fault
        return None
