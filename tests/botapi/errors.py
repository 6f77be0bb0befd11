"""Refusals of the Bot API server, in Telegram's own shapes."""

from typing import Any

Json = dict[str, Any]

_PREFIX = {400: "Bad Request: ", 403: "Forbidden: ", 404: "Not Found: ", 409: "Conflict: "}


class Refusal(Exception):  # noqa: N818  it is an answer, not an error
    """A call that is not carried out.

    `fated` marks refusals that the world brought about (a person blocked the bot, a topic was deleted, a group moved):
    the bot could not have known, so they are not counted among its mistakes.
    """

    def __init__(self, code: int, text: str, *, fated: bool = False, **parameters: int) -> None:
        self.code = code
        self.description = _PREFIX.get(code, "") + text
        self.fated = fated
        self.parameters = parameters
        super().__init__(self.description)

    def body(self) -> Json:
        """The answer's JSON."""
        answer: Json = {"ok": False, "error_code": self.code, "description": self.description}
        if self.parameters:
            answer["parameters"] = self.parameters
        return answer


def bad(text: str, *, fated: bool = False) -> Refusal:
    """A 400."""
    return Refusal(400, text, fated=fated)
