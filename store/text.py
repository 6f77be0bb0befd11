"""Text made comparable, the form in which names and sayings are searched, and text cut short."""

import re
import unicodedata

# Only the marks that Latin, Greek and Cyrillic letters carry: in Thai or Hindi a mark is a vowel, not an ornament.
_MARKS = re.compile("[\u0300-\u036f]+")
_STROKES = str.maketrans({"đ": "d", "ð": "d"})


def fold(text: str) -> str:
    """Return `text` in lower case and without marks: "Điểm của Tôi" and "diem cua toi" fold alike.

    Folding twice gives the same as folding once. The length may change.
    """
    if text.isascii():
        return text.lower()
    bare = _MARKS.sub("", unicodedata.normalize("NFD", text.lower()))
    return unicodedata.normalize("NFC", bare).translate(_STROKES)


def beginning(text: str, most: int) -> str:
    """The first words of a text in one line, at most so many signs, cut between words where there is a gap."""
    words = re.sub(r"\s+", " ", text).strip()
    if len(words) <= most:
        return words
    cut = words[: most - 1]
    gap = cut.rfind(" ")
    return f"{cut[:gap] if gap > most // 2 else cut}…"
