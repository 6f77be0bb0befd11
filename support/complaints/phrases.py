"""Phrases looked for in what people write, in Vietnamese with and without marks and in English.

A phrase is written with its marks. In it `a/b` is one word or the other and `..` up to three words of any kind. What was
written with marks is found by exactly that word, its tone placed in the old way or the new; what was written without is
found by every word that it may stand for. A phrase that begins with `=` is found with its marks only, for bare it is read
otherwise ("cháy" and "chạy").
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from store.text import fold

READ_CHARS = 2_000
"""Of a long text only the beginning is read."""
GAP_WORDS = 3
DENIAL_REACH = 2
"""How many words before a phrase a denial may begin ("không hề bị vỡ")."""
HYPOTHESIS_REACH = 5
"""The same of what is only asked about ("nếu hàng bị vỡ thì sao")."""

_WORDS = re.compile(r"[a-z]+n't|[^\W_]+|[.,;:!?\n…]+")
_TONES = "\u0300\u0301\u0303\u0309\u0323"
_STRETCHED = re.compile(r"([^\W\d])\1{2,}")
_SHORT = {
    "k": "không", "ko": "không", "kg": "không", "kh": "không", "hok": "không", "khg": "không", "dc": "được",
    "đc": "được", "dk": "được", "nv": "nhân viên", "sp": "sản phẩm", "r": "rồi", "vs": "với", "cty": "công ty",
    "tks": "thanks", "thks": "thanks", "thx": "thanks", "camon": "cảm ơn", "isn't": "not", "doesn't": "not",
    "don't": "not", "didn't": "not", "wasn't": "not", "won't": "not",
}  # fmt: skip
"""What people shorten."""
_DENIALS = frozenset({"khong", "chua", "chang", "not", "no", "without"})
_HYPOTHESES = frozenset({"nếu", "neu", "lỡ", "if"})
_APOSTROPHES = str.maketrans({"’": "'", "‘": "'", "`": "'", "´": "'"})


@dataclass(frozen=True, slots=True)
class Word:
    """A word as it was written, in its exact form (the tone mark at its end), and bare of marks."""

    text: str
    exact: str
    bare: str
    pause: bool = False


Slot = tuple[frozenset[str], frozenset[str]]
"""Words that may stand at a place: in their exact form, and bare."""


@dataclass(frozen=True, slots=True)
class Phrase:
    """Its words one after the other; None is a gap. `with_marks`: only as it is written."""

    slots: tuple[Slot | None, ...]
    with_marks: bool


def read(text: str) -> list[Word]:
    """The words of a text, with its pauses."""
    plain = unicodedata.normalize("NFC", text[:READ_CHARS]).translate(_APOSTROPHES).lower()
    words: list[Word] = []
    for token in _WORDS.findall(_STRETCHED.sub(r"\1", plain)):
        if token[0].isalnum():
            words += [Word(part, _exact(part), fold(part)) for part in _SHORT.get(token, token).split()]
        else:
            words.append(Word(token, token, token, pause=True))
    return words


def phrases(written: str) -> list[Phrase]:
    """Phrases as this file's head says, between commas."""
    made = []
    for piece in (one.strip() for one in written.split(",")):
        if piece:
            slots = tuple(None if part == ".." else _slot(part) for part in piece.removeprefix("=").split())
            made.append(Phrase(slots, piece.startswith("=")))
    return made


def found(words: Sequence[Word], wanted: Sequence[Phrase], *, deniable: bool = True) -> str | None:
    """The first of the phrases that the words hold, as it was written; None where there is none, or each is denied by a
    word right before it.
    """
    exact, bare = {word.exact for word in words}, {word.bare for word in words}
    for phrase in wanted:
        first = phrase.slots[0]
        assert first is not None
        if exact.isdisjoint(first[0]) and bare.isdisjoint(first[1]):
            continue
        for start in range(len(words)):
            end = _end(words, phrase, start)
            if end is not None and not (deniable and _denied(words, start)):
                return " ".join(word.text for word in words[start:end])
    return None


def _end(words: Sequence[Word], phrase: Phrase, start: int) -> int | None:
    """Where the phrase ends that begins at `start`; None where it doesn't stand there."""
    at, gap = start, 0
    for slot in phrase.slots:
        if slot is None:
            gap = GAP_WORDS
            continue
        while at < len(words) and not words[at].pause and not _is(words[at], slot, phrase.with_marks) and gap:
            at, gap = at + 1, gap - 1
        if at >= len(words) or not _is(words[at], slot, phrase.with_marks):
            return None
        at, gap = at + 1, 0
    return at


def _is(word: Word, slot: Slot, with_marks: bool) -> bool:
    exact, bare = slot
    return word.exact in exact or (not with_marks and word.text == word.bare and word.bare in bare)


def _denied(words: Sequence[Word], start: int) -> bool:
    for back, word in enumerate(reversed(words[max(0, start - HYPOTHESIS_REACH) : start]), 1):
        if word.pause:
            return False
        if (back <= DENIAL_REACH and word.bare in _DENIALS) or word.text in _HYPOTHESES:
            return True
    return False


def _slot(part: str) -> Slot:
    each = part.split("/")
    return frozenset(map(_exact, each)), frozenset(map(fold, each))


def _exact(word: str) -> str:
    """A word with its tone mark at its end, wherever it was placed: "hoà" and "hòa" are one word."""
    signs = unicodedata.normalize("NFD", word.lower())
    tone = "".join(sign for sign in signs if sign in _TONES)
    return unicodedata.normalize("NFC", "".join(sign for sign in signs if sign not in _TONES)) + tone
