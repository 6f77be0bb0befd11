"""How a person is addressed in Vietnamese, where one word says age, sex and closeness.

Which word it is the person chooses once; nothing here guesses it from a name or a birthday.
"""

import unicodedata
from enum import StrEnum

NAME_LENGTH = 32
"""No given name is cut shorter than this many characters, and none is longer."""

_READ_CHARACTERS = 256
# What people put around their names. Angle brackets stay: markup in a name is text, and is shown as text.
_ORNAMENTS = ".,;:!?~*_-–—|•·\"'()[]{}"
_INVISIBLE_OR_PICTURE = {"Cc", "Cf", "Cs", "Co", "Cn", "So", "Sk", "Me"}
_VARIATION_SELECTORS = range(0xFE00, 0xFE10)


class Address(StrEnum):
    """The word a customer wishes to be called by."""

    BAN = "ban"
    ANH = "anh"
    CHI = "chi"
    CO = "co"
    CHU = "chu"


_PRONOUNS = {Address.BAN: "bạn", Address.ANH: "anh", Address.CHI: "chị", Address.CO: "cô", Address.CHU: "chú"}
_SELF_PRONOUNS = {
    Address.BAN: "mình",
    Address.ANH: "em",
    Address.CHI: "em",
    Address.CO: "cháu",
    Address.CHU: "cháu",
}


def given_name(full_name: str, language: str | None = None) -> str:
    """Return the word of `full_name` a person is called by, "" when there is none.

    It is the last word ("Nguyễn Thị Lan" → "Lan"), in English (`language` "en", "en-GB") the first. Emoji, control and
    direction characters are taken out; the rest is the person's own text and must be escaped where it is shown.
    """
    words = [word.strip(_ORNAMENTS) for word in _visible(full_name[:_READ_CHARACTERS]).split()]
    names = [word for word in words if any(character.isalpha() for character in word)]
    if not names:
        return ""
    english = language is not None and language.lower().replace("_", "-").split("-")[0] == "en"
    return (names[0] if english else names[-1])[:NAME_LENGTH]


def pronoun(address: Address) -> str:
    """Return the word for "you"."""
    return _PRONOUNS[address]


def self_pronoun(address: Address) -> str:
    """Return the word by which the shop calls itself before a person so addressed."""
    return _SELF_PRONOUNS[address]


def vocative(address: Address, name: str) -> str:
    """Return the words a sentence to the person opens with: "anh Minh", or "anh" without a name."""
    return f"{pronoun(address)} {name}".rstrip()


def _visible(text: str) -> str:
    """Return `text` without what isn't writing, in the plain form of each letter (people write names in 𝓯𝓪𝓷𝓬𝔂 ones)."""
    kept = (
        " " if character.isspace() else character
        for character in text
        if character.isspace()
        or (unicodedata.category(character) not in _INVISIBLE_OR_PICTURE and ord(character) not in _VARIATION_SELECTORS)
    )
    return unicodedata.normalize("NFKC", "".join(kept))
