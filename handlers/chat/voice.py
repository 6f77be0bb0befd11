"""How one person is spoken to: in their language and, in Vietnamese, by the word they chose to be addressed with."""

from html import escape
from typing import Any

from handlers.words import Words
from loyalty import addressing
from loyalty.addressing import Address


class Voice:
    """Says things to one person. Texts may use the places {you}, {You}, {we}, {We} and {name} of themselves.

    What people wrote (names, subjects) is escaped by `say`: texts go out as Telegram's HTML.
    """

    def __init__(self, words: Words, address: str | None, full_name: str) -> None:
        self.words = words
        name = addressing.given_name(full_name, words.language)
        if words.language == "vi":
            how = Address(address) if address in set(Address) else Address.BAN
            you, we = addressing.pronoun(how), addressing.self_pronoun(how)
            self._forms = {"you": you, "we": we, "name": escape(addressing.vocative(how, name))}
        else:
            self._forms = {"you": "you", "we": "we", "name": escape(name or "there")}
        for form in ("you", "we"):
            self._forms[form.capitalize()] = self._forms[form].capitalize()
        self._forms["Name"] = self._forms["name"][:1].upper() + self._forms["name"][1:]

    @property
    def language(self) -> str:
        return self.words.language

    def say(self, message: str, /, **values: Any) -> str:
        """A text with its places filled: strings escaped, ints grouped."""
        return self.words(message, **self._filled(values))

    def plural(self, one: str, many: str, n: int, /, **values: Any) -> str:
        return self.words.plural(one, many, n, **self._filled(values))

    def _filled(self, values: dict[str, Any]) -> dict[str, Any]:
        shown = {
            key: self.words.number(value) if isinstance(value, int) else escape(value) if isinstance(value, str) else value
            for key, value in values.items()
        }
        return {**self._forms, **shown}
