"""Matching: which article answers a question, if any does. Pure: words in, a choice out.

Both sides are brought into one form: marks folded, letters undoubled, abbreviations spelled out, words that ask but name
nothing left out. What is left of the question is looked for in each way an article can be asked for (its title, its other
askings, its headings), a rare word weighing more than a common one, two words in a row more than either alone. A word is
found under a slip of the finger, and half found where its marks say another word (bán, bàn). An article is chosen only if
it covers most of the question and is not left over by much itself: a wrong answer is worse than none.
"""

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise

from rapidfuzz.distance import OSA

from store.text import fold

QUESTION_CHARS_MAX = 300
"""Who writes more tells a story, and a colleague should read it."""
THRESHOLD = 0.4
PAIR_WEIGHT = 0.7
"""Of two words in a row, against one word."""
TIME_WEIGHT = 0.35
OTHER_MARKS = 0.45
ELSEWHERE = 0.85
"""What a word counts that another way of asking for the article has."""
BODY_ONLY = 0.6
"""What a word counts that stands in the article's text alone."""
MIN_BARE = 2
"""A question of bare words alone (gio mo cua) has at least so many."""
SHORT_QUESTION = 4
"""So few telling words are a question even where nothing in them asks."""

# Each with what it stands for; folded, one word or two.
SPELLED = {
    "k": "khong", "ko": "khong", "kh": "khong", "hok": "khong", "hong": "khong", "khum": "khong", "dc": "duoc", "dk": "duoc",
    "j": "gi", "bn": "bao nhieu", "bnh": "bao nhieu", "bnhieu": "bao nhieu", "h": "gio", "mk": "minh", "ntn": "the nao",
    "lm": "lam", "sp": "san pham", "sdt": "so dien thoai", "dt": "dien thoai", "dchi": "dia chi", "cn": "chi nhanh",
    "cnhanh": "chi nhanh", "ck": "chuyen khoan", "tt": "thanh toan", "ttoan": "thanh toan", "ship": "giao hang",
    "fship": "mien phi giao hang", "freeship": "mien phi giao hang", "free ship": "mien phi giao hang",
    "sinhnhat": "sinh nhat", "sn": "sinh nhat", "pass": "mat khau", "mk wifi": "mat khau wifi", "wi fi": "wifi", "wfi": "wifi",
    "opening": "open", "opens": "open", "closes": "close", "closing": "close", "pw": "password", "delivery": "deliver",
    "delivers": "deliver", "parking": "park", "booking": "book", "reserve": "book", "reservation": "book", "payment": "pay",
    "pays": "pay", "paying": "pay", "returns": "return", "refunds": "refund", "located": "location", "cards": "card",
    "tables": "table", "gui xe": "guixe", "dau xe": "guixe", "de xe": "guixe", "giu xe": "guixe", "do xe": "guixe",
    "dat cho": "dat ban", "cua hang": "shop",
}  # fmt: skip
# Words that ask, greet or soften, spelled with their marks. What is asked about is what is left.
SILENT = """
    shop quán tiệm bên mình à ạ ơi dạ vâng thưa nhé nha nhỉ nè hả hở ta vậy thế thì mà là luôn với giúp giùm dùm hộ
    cho xin em anh chị ad admin tôi tớ cô chú bạn con các những này kia đó đấy gì nào sao đâu khi bao nhiêu mấy được không
    hay hoặc và cũng rằng như muốn cần hỏi biết xem nói thêm rồi chưa đang sẽ đã làm vì tại để ở từ đến về ra vào vô trong
    người mọi lúc hiện bây nay lâu cách phải có nếu nhận lấy thường của đi tới nhờ bị loại một số nơi
    a an the my me i we our you your it is am are please to do does did can could would will of for on in at by and or what
    which where when how who why there this that have has had get want need like tell know about any much many long if be
    with from time s hi hello hey thanks thank
"""
# When it is asked for matters less than what; with marks.
TIMES = """
    sáng trưa chiều tối đêm ngày hôm mai tuần tháng năm thứ chủ nhật cuối lễ today tonight tomorrow now morning evening
    sunday sundays monday saturday weekend weekends week month day days
"""
# What asks, folded; the English ones do where they come first.
ASKING = "gi nao sao dau may bao khong chua hoi ha cach duoc"
ASKING_FIRST = "what which where when how who why can could do does did is are may would will any"

_TOKEN = re.compile(r"[^\W_]+")
_DOUBLED = re.compile(r"([^\W\d])\1+")
_TELEX = re.compile("(?<=[a-z])[sfrxj]$")
_CLOCK = re.compile(r"(\d{1,2})(h|g)(\d{2})?")


@dataclass(frozen=True, slots=True)
class Entry:
    """What can be found: `askings` are ways of asking for it, title first; `body` its text in plain words."""

    id: int
    askings: tuple[str, ...]
    body: str


@dataclass(frozen=True, slots=True)
class Found:
    """A choice with its score, 0 to 1."""

    id: int
    score: float


@dataclass(frozen=True, slots=True)
class _Word:
    folded: str
    marks: tuple[str, ...]
    """Its marks in the order of their signs, so that hoà and hòa are one word."""
    telling: bool = True
    """False for a bare word that may be a silent one (cua: của, cửa): it counts where it is found."""


@dataclass(frozen=True, slots=True)
class _Entry:
    id: int
    askings: tuple[tuple[_Word, ...], ...]
    asked: frozenset[str]
    body: frozenset[str]
    words: frozenset[str]


def best(question: str, entries: Sequence[Entry]) -> Found | None:
    """The article that answers a question; None where none surely does, or where it is no question."""
    if not asks(question):
        return None
    found = ranked(question, entries, 1)
    return found[0] if found and found[0].score >= THRESHOLD else None


def ranked(question: str, entries: Sequence[Entry], limit: int) -> list[Found]:
    """The articles nearest to a text, the best first, whatever their score; those with nothing in common left out."""
    asked = _telling(_words(question[: QUESTION_CHARS_MAX * 2]))
    if not any(word.telling for word in asked) and len(asked) < MIN_BARE:
        return []
    shelf = _Shelf([_prepared(entry) for entry in entries])
    weighed = [(word, shelf.weight(word), shelf.near(word)) for word in asked]
    close = {other for *_, near in weighed for other in near}
    scored = [
        Found(entry.id, max(_asked_so(weighed, asking, entry, shelf) for asking in entry.askings))
        for entry in shelf.entries
        if any(not close.isdisjoint(asking) for asking in entry.askings)
    ]
    return sorted((one for one in scored if one.score > 0), key=lambda one: (-one.score, one.id))[:limit]


def asks(text: str) -> bool:
    """Whether a text can be a question: it asks in words or by its mark, or names a thing in a few words."""
    if len(text) > QUESTION_CHARS_MAX:
        return False
    words = [word.folded for word in _words(text)]
    if not words:
        return False
    telling = [word for word in _telling(_words(text)) if word.telling]
    return (
        "?" in text or not _ASKING.isdisjoint(words) or words[0] in _ASKING_FIRST or 0 < len(telling) <= SHORT_QUESTION
    )  # fmt: skip


def key(text: str) -> str:
    """What questions that ask for the same have in common: their telling words, bare, in order of the alphabet."""
    words = {word.folded for word in _words(text)}
    return " ".join(sorted(words - _FOLDED_SILENT or words))[:200]


# ── One form ───────────────────────────────────────────────────────────────────────────────────────


def _words(text: str) -> list[_Word]:
    """All words, abbreviations spelled out."""
    found = [_word(token) for token in _TOKEN.findall(_CLOCK.sub(r"\1 gio \3", text.lower()))]
    words: list[_Word] = []
    at = 0
    while at < len(found):
        for length in (2, 1):
            said = _SPELLED.get(" ".join(word.folded for word in found[at : at + length]))
            if said and at + length <= len(found):
                words += [_Word(part, ()) for part in said.split()]
                break
        else:
            words.append(found[at])
        at += length
    return words


@lru_cache(maxsize=8192)
def _word(token: str) -> _Word:
    token = _DOUBLED.sub(r"\1", token)
    marks = sorted(sign for sign in unicodedata.normalize("NFD", token) if unicodedata.combining(sign))
    return _Word(fold(token), tuple(marks + ["đ"] * token.count("đ")))


def _telling(words: Sequence[_Word]) -> tuple[_Word, ...]:
    """The words that name something, and the bare ones that may."""
    marked = any(word.marks for word in words)
    told: list[_Word] = []
    for word in words:
        if word.folded.isdecimal() or (word.folded, word.marks) in _SILENT:
            # In a text without any marks a bare word may be another: can, cần, cân.
            if not marked and not word.marks and word.folded in _BARE_SILENT and not word.folded.isdecimal():
                told.append(replace(word, telling=False))
            continue
        told.append(replace(word, telling=False) if not word.marks and word.folded in _FOLDED_SILENT else word)
    return tuple(told)


_SPELLED = {_DOUBLED.sub(r"\1", short): _DOUBLED.sub(r"\1", long) for short, long in SPELLED.items()}
_ASKING, _ASKING_FIRST = frozenset(ASKING.split()), frozenset(ASKING_FIRST.split())
_SILENT = frozenset((word.folded, word.marks) for word in map(_word, SILENT.split()))
_TIMES = frozenset((word.folded, word.marks) for word in map(_word, TIMES.split()))
_TIMES |= {(word, ()) for word, _ in _TIMES}
_FOLDED_SILENT = frozenset(word for word, _ in _SILENT)
_BARE_SILENT = frozenset(word for word, marks in _SILENT if not marks) & frozenset(
    word for word, marks in _SILENT if marks
)


# ── Weighing ───────────────────────────────────────────────────────────────────────────────────────


@lru_cache(maxsize=2048)
def _prepared(entry: Entry) -> _Entry:
    askings = tuple(filter(None, (_telling(_words(asking)) for asking in entry.askings)))
    body = frozenset(word.folded for word in _telling(_words(entry.body)))
    asked = frozenset(word.folded for asking in askings for word in asking)
    return _Entry(entry.id, askings, asked, body, body | asked)


class _Shelf:
    """All entries together: how rare a word is among them, and which of their words are near to another."""

    def __init__(self, entries: Sequence[_Entry]) -> None:
        self.entries = entries
        self._holders = Counter(word for entry in entries for word in entry.words)
        self._asked = {word for entry in entries for asking in entry.askings for word in asking}
        self._weights: dict[_Word, float] = {}

    def weight(self, word: _Word) -> float:
        """A word that few entries have says more; one that none has says most: it is not answered."""
        if word not in self._weights:
            weight = 1 + math.log((len(self.entries) + 1) / (self._holders[word.folded] + 1))
            self._weights[word] = weight * TIME_WEIGHT if (word.folded, word.marks) in _TIMES else weight
        return self._weights[word]

    def near(self, word: _Word) -> dict[_Word, float]:
        """The words of askings that this one may be, each with how much it is that word."""
        return {other: alike for other in self._asked if (alike := _alike(word, other))}


_Weighed = Sequence[tuple[_Word, float, dict[_Word, float]]]


def _asked_so(weighed: _Weighed, asking: Sequence[_Word], entry: _Entry, shelf: _Shelf) -> float:
    """How much of the question this way of asking covers, held back by how much of it the question leaves out."""
    found: list[tuple[_Word, float, float, int | None]] = []
    for word, weight, near in weighed:
        alike, place = max(((near.get(other, 0.0), -at) for at, other in enumerate(asking)), default=(0.0, 0))
        if alike or word.telling:
            found.append((word, weight, alike, -place if alike else None))
    used = {place for *_, place in found if place is not None}
    if not any(asking[place].telling for place in used):
        return 0.0
    total = covered = 0.0
    for word, weight, alike, _ in found:
        total += weight
        covered += weight * (
            alike or (ELSEWHERE if word.folded in entry.asked else BODY_ONLY if word.folded in entry.body else 0.0)
        )
    for (_, one, first, at), (_, other, second, then) in pairwise(found):
        weight = PAIR_WEIGHT * min(one, other)
        total += weight
        if at is not None and then == at + 1:
            covered += weight * min(first, second)
    weights = [shelf.weight(word) if word.telling else 0.0 for word in asking]
    spoken = sum(weights[at] for at in used) / sum(weights)
    return covered / total * math.sqrt(spoken)


def _alike(one: _Word, other: _Word) -> float:
    """1 for the same word, less for one whose marks differ or that a slip made of it, 0 for another."""
    if one.folded == other.folded:
        return 1.0 if one.marks == other.marks or not one.marks or not other.marks else OTHER_MARKS
    shorter = min(len(one.folded), len(other.folded))
    if shorter >= 3 and _TELEX.sub("", one.folded).replace("w", "") == other.folded:
        return 0.9
    if shorter < 4 or one.folded[0] != other.folded[0]:
        return 0.0
    slips = OSA.distance(one.folded, other.folded)
    if shorter == 4:
        # Short words of Vietnamese lie a letter apart: only letters that changed places are a slip.
        return 0.8 if sorted(one.folded) == sorted(other.folded) and slips == 1 else 0.0
    return 0.85 if slips <= (2 if shorter >= 8 else 1) else 0.0
