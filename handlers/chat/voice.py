"""How one person is spoken to: in their language and, in Vietnamese, by the word they chose to be addressed with."""

from functools import lru_cache
from html import escape
from typing import Any

from handlers.words import Words
from loyalty.customers import addressing
from loyalty.customers.addressing import Address


class Voice:
    """Says things to one person. Texts may use the places {you}, {You}, {we}, {We}, {name} and {Name} of themselves.

    What people wrote (names, subjects) is escaped by `say`: texts go out as Telegram's HTML.
    """

    def __init__(self, words: Words, address: str | None, full_name: str) -> None:
        self.words = words
        self._forms = _forms(words.language, address, full_name)

    @property
    def language(self) -> str:
        return self.words.language

    def say(self, message: str, /, **values: Any) -> str:
        """A text with its places filled: strings escaped, ints grouped."""
        return self.words(message, **self._filled(values))

    def plural(self, one: str, many: str, n: int, /, **values: Any) -> str:
        return self.words.plural(one, many, n, **self._filled(values))

    def _filled(self, values: dict[str, Any]) -> dict[str, Any]:
        return {**self._forms, **{key: self._shown(value) for key, value in values.items()}}

    def _shown(self, value: Any) -> Any:
        if isinstance(value, int):
            return self.words.number(value)
        return escape(value) if isinstance(value, str) else value


@lru_cache(maxsize=4096)
def _forms(language: str, address: str | None, full_name: str) -> dict[str, str]:
    """What fills the places of the person themselves; the same people write again and again."""
    name = addressing.given_name(full_name, language)
    if language == "vi":
        how = Address(address) if address in set(Address) else Address.BAN
        forms = {
            "you": addressing.pronoun(how), "we": addressing.self_pronoun(how),
            "name": escape(addressing.vocative(how, name)),
        }  # fmt: skip
    else:
        forms = {"you": "you", "we": "we", "name": escape(name or "there")}
    return forms | {form.capitalize(): text[:1].upper() + text[1:] for form, text in forms.items()}
