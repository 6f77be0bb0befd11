"""What a customer means by a line of free text.

The text is brought into one plain form (no marks, no teencode, no doubled letters, slips mended), then phrases of the
lexicon are looked for in it. Trouble beats everything, what is denied does not count, and of several commands the one
said in the most words wins.
"""

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, StrEnum
from functools import lru_cache

from rapidfuzz import process
from rapidfuzz.distance import OSA

from handlers.chat import lexicon
from store.text import fold

# Beyond this nothing is read, which bounds the work; no command is longer.
READ_CHARACTERS = 600
# With more words of its own beside it, a command is part of a story or only sounds like one.
UNEXPLAINED_WORDS = 3
# How many words of any kind `..` lets stand between two words of a phrase.
LOOSE_WORDS = 3
# How many words may stand between a denial and what it denies ("không cần *shop* hỗ trợ").
DENIAL_REACH = 2

NUMBER = "#"
PAUSE = "."
SET_ASIDE = ""


class Saying(StrEnum):
    """What free text can mean: a command by its name , or one of the last four."""

    MENU = "menu"
    POINTS = "points"
    CARD = "card"
    VOUCHERS = "vouchers"
    REWARDS = "rewards"
    INVITE = "invite"
    SUPPORT = "support"
    TICKETS = "tickets"
    LANGUAGE = "language"
    PRIVACY = "privacy"
    HELP = "help"
    CHALLENGES = "challenges"
    GIFT = "gift"
    COMPLAINT = "complaint"
    STOP = "stop"
    GREETING = "greeting"
    THANKS = "thanks"


# Who asks for a person or for silence means it, whatever else is told.
WHATEVER_ELSE = frozenset({Saying.SUPPORT, Saying.STOP})


def understand(text: str) -> Saying | None:
    """Return what `text` means, or None when it isn't understood.

    COMPLAINT is trouble that happened, and stands above whatever else is said; trouble that is only asked about
    ("nếu hàng bị vỡ thì sao") is SUPPORT. Any text is accepted; only its first `READ_CHARACTERS` are read.
    """
    words = _set_aside(_words(text))
    troubles, denied_troubles = _split_denied(_TROUBLE.hits(words), _TROUBLE_DENIED, words, reach=0)
    if troubles:
        return Saying.SUPPORT if any(_HYPOTHETICAL.hits(words)) else Saying.COMPLAINT
    commands, _ = _split_denied(_COMMANDS.hits(words), _DENIED, words, reach=DENIAL_REACH)
    # "Không bị vỡ, cảm ơn shop" is thanks: trouble denied is as good as unsaid, with the word before and after it.
    fine = {place for hit in denied_troubles for place in range(hit.places[0] - 1, hit.places[-1] + 2)}
    explained = {place for hit in commands for place in hit.places}
    rest = sum(word not in _FILLERS and word != PAUSE for at, word in enumerate(words) if at not in explained)
    if rest > UNEXPLAINED_WORDS:
        commands = [hit for hit in commands if hit.phrase.meaning in WHATEVER_ELSE]
    best = max(commands, key=lambda hit: (len(hit.places), -hit.phrase.rank), default=None)
    if best is None:
        best = next(_COURTESIES.hits(words, fine), None)
    return best.phrase.meaning if best else None


# --- Phrases and where they are found ---


class _Gap(Enum):
    """What may stand before a word of a phrase."""

    NOTHING = 1
    PARTICLES = 2
    WORDS = 3


@dataclass(frozen=True, slots=True)
class _Slot:
    words: frozenset[str]
    gap: _Gap


@dataclass(frozen=True, slots=True)
class _Phrase:
    slots: tuple[_Slot, ...]
    meaning: Saying
    rank: int
    """Smaller wins a draw."""
    alone: bool


@dataclass(frozen=True, slots=True)
class _Hit:
    phrase: _Phrase
    places: tuple[int, ...]
    """Where the phrase's words stand, ascending."""


class _Index:
    """Phrases by their first word."""

    def __init__(
        self, phrases: Sequence[_Phrase], beside: frozenset[str] = frozenset(), *, by_clause: bool = False
    ) -> None:
        """`beside`: the words that may stand beside a phrase that must be alone, in its clause or in the whole text."""
        self.beside = beside
        self._by_clause = by_clause
        self.words = frozenset(word for phrase in phrases for slot in phrase.slots for word in slot.words)
        self._by_first: dict[str, list[_Phrase]] = {}
        for phrase in phrases:
            for word in phrase.slots[0].words:
                self._by_first.setdefault(word, []).append(phrase)

    def hits(self, words: Sequence[str], ignored: Collection[int] = ()) -> Iterator[_Hit]:
        """Yield each phrase found in `words`; places in `ignored` don't keep a phrase from being alone."""
        others = {place for place, word in enumerate(words) if word not in self.beside and word != PAUSE}
        others.difference_update(ignored)
        for start, word in enumerate(words):
            for phrase in self._by_first.get(word, ()):
                places = _places(phrase, words, start)
                if places and not (phrase.alone and self._others_beside(places, words, others)):
                    yield _Hit(phrase, places)

    def _others_beside(self, places: tuple[int, ...], words: Sequence[str], others: set[int]) -> set[int]:
        beside = others.difference(places)
        if self._by_clause:
            first, last = places[0], places[-1]
            return {place for place in beside if PAUSE not in words[min(place, first) : max(place, last)]}
        return beside


def _places(phrase: _Phrase, words: Sequence[str], start: int) -> tuple[int, ...]:
    """Return where the words of `phrase` stand when its first stands at `start`; nothing if it isn't there."""
    places = [start]
    for slot in phrase.slots[1:]:
        place = places[-1] + 1
        loose = LOOSE_WORDS if slot.gap is _Gap.WORDS else 0
        while place < len(words) and words[place] not in slot.words:
            word = words[place]
            if word in (PAUSE, SET_ASIDE) or slot.gap is _Gap.NOTHING:
                return ()
            if word not in _PARTICLES:
                if not loose:
                    return ()
                loose -= 1
            place += 1
        if place == len(words):
            return ()
        places.append(place)
    return tuple(places)


def _split_denied(
    hits: Iterator[_Hit], denials: _Index, words: Sequence[str], *, reach: int
) -> tuple[list[_Hit], list[_Hit]]:
    """Split `hits` into those that stand and those that a denial right before them takes back."""
    said: list[_Hit] = []
    denied: list[_Hit] = []
    spans = [(hit.places[0], hit.places[-1] + 1) for hit in denials.hits(words)]
    for hit in hits:
        first = hit.places[0]
        taken_back = any(start < first <= end + reach and PAUSE not in words[start:first] for start, end in spans)
        (denied if taken_back else said).append(hit)
    return said, denied


# --- One plain form ---

_TOKENS = re.compile(r"[^\W_]+|[.,;:!?\n…]+")
_APOSTROPHES = re.compile("['’`´]")
_IN_NUMBER = re.compile(r"(?<=\d)[.,](?=\d)")
_NUMBER = re.compile(r"\d+[a-z]{0,2}")
_DOUBLED = re.compile(r"([^\W\d])\1+")
_TELEX_TONE = re.compile("[sfrxj]$|(?<=[aeiouy])[sfrxj]")


def _plain(text: str) -> str:
    """Fold and undouble letters: both the lexicon and what is read go through this ("điểmmm", "Voucher")."""
    return _DOUBLED.sub(r"\1", fold(text))


def _words(text: str) -> list[str]:
    """Return the words of `text` in the lexicon's form, with NUMBER for numbers and PAUSE for punctuation."""
    plain = _IN_NUMBER.sub("", _APOSTROPHES.sub("", _plain(text[:READ_CHARACTERS])))
    # Pairs are looked up twice: as typed ("bn ơi") and as mended ("giowis thieeuj").
    spelled = [word for token in _paired(_TOKENS.findall(plain)) for word in _spelled(token)]
    return _paired(spelled)


def _paired(words: Sequence[str]) -> list[str]:
    paired: list[str] = []
    at = 0
    while at < len(words):
        pair = _SLANG_PAIRS.get(" ".join(words[at : at + 2]))
        paired += pair or (words[at],)
        at += 2 if pair else 1
    return paired


def _spelled(token: str) -> Sequence[str]:
    if not token[0].isalnum():
        return (PAUSE,)
    if _NUMBER.fullmatch(token):
        return (NUMBER,)
    return _SLANG.get(token) or (token if token in _KNOWN else _mended(token),)


@lru_cache(maxsize=4096)
def _mended(word: str) -> str:
    """Return the known word that `word` is a slip of, or `word` itself.

    Short Vietnamese words lie a letter apart ("diem", "tiem", "kiem"): in those only two letters that changed places
    are mended, besides Telex keys that never became marks ("ddieemr"). The first letter is taken to be right.
    """
    if not 4 <= len(word) <= 20:
        return word
    telex = _TELEX_TONE.sub("", word).replace("w", "")
    if telex in _KNOWN:
        return telex
    slips = 2 if len(word) >= 9 else 1
    near = [known for known in _BY_INITIAL.get(word[0], ()) if len(known) > 4 or sorted(known) == sorted(word)]
    found = process.extractOne(word, near, scorer=OSA.distance, score_cutoff=slips)
    return found[0] if found and (len(word) > 4 or sorted(found[0]) == sorted(word)) else word


def _set_aside(words: list[str]) -> list[str]:
    for hit in list(_NOTHING.hits(words)):
        for place in hit.places:
            words[place] = SET_ASIDE
    return words


# --- The lexicon, compiled once ---


def _set(text: str) -> frozenset[str]:
    return frozenset(_plain(text).split())


def _alternatives(word: str) -> list[tuple[str, ...]]:
    """Return what may stand for one word of a phrase, each as a run of words."""
    if word.startswith("@"):
        return [tuple(member.split("_")) for member in _plain(lexicon.GROUPS[word[1:]]).split()]
    return [(word,)]


def _phrases(text: str, meaning: Saying, rank: int = 0, *, alone: bool = False) -> list[_Phrase]:
    """Read phrases as the lexicon writes them."""
    return [
        _Phrase(slots, meaning, rank, alone)
        for written in text.split(",")
        if written.strip()
        for slots in _slots(written.split())
    ]


def _slots(written: Sequence[str]) -> list[tuple[_Slot, ...]]:
    """Return the slots of one phrase, once for each member of a group that is itself more than one word."""
    made: list[tuple[_Slot, ...]] = [()]
    gap = _Gap.PARTICLES
    for piece in written:
        if piece == "..":
            gap = _Gap.WORDS
            continue
        for word in piece.split("_"):
            runs = [run for name in word.split("/") for run in _alternatives(name if name[0] == "@" else _plain(name))]
            single = frozenset(run[0] for run in runs if len(run) == 1)
            ways: list[tuple[_Slot, ...]] = [(_Slot(single, gap),)] if single else []
            ways += [_run(run, gap) for run in runs if len(run) > 1]
            made = [slots + way for slots in made for way in ways]
            gap = _Gap.NOTHING
        gap = _Gap.PARTICLES
    return made


def _run(words: Sequence[str], gap: _Gap) -> tuple[_Slot, ...]:
    first, *rest = words
    return (_Slot(frozenset({first}), gap), *(_Slot(frozenset({word}), _Gap.NOTHING) for word in rest))


def _slang(pairs: Sequence[str], join: str) -> dict[str, tuple[str, ...]]:
    split = (_plain(pair).strip().split("=") for pair in pairs)
    return {short: tuple(long.split(join)) for short, long in split}


_SLANG = _slang(lexicon.SLANG.split(), "_")
_SLANG_PAIRS = _slang(lexicon.SLANG_PAIRS.split(","), " ")
_SLANG_PAIRS |= {f"{no} {mind}": (f"khong{mind}",) for no in _set(lexicon.GROUPS["not"]) for mind in _set(lexicon.MIND)}
_PARTICLES = _set(lexicon.PARTICLES) | {NUMBER}
_FILLERS = _PARTICLES | _set(lexicon.FILLERS)

_NOTHING = _Index(_phrases(lexicon.NOTHING, Saying.HELP))
_TROUBLE = _Index(
    _phrases(lexicon.TROUBLE.anywhere, Saying.COMPLAINT)
    + _phrases(lexicon.TROUBLE.alone, Saying.COMPLAINT, alone=True),
    _FILLERS,
    by_clause=True,
)
_TROUBLE_DENIED = _Index(_phrases(lexicon.TROUBLE_DENIED, Saying.COMPLAINT))
_HYPOTHETICAL = _Index(_phrases(lexicon.HYPOTHETICAL, Saying.SUPPORT))
_DENIED = _Index(_phrases(lexicon.DENIED, Saying.HELP))
_COMMANDS = _Index(
    [
        phrase
        for rank, (name, said) in enumerate(lexicon.COMMANDS.items())
        for phrase in (
            *_phrases(said.anywhere, Saying(name), rank),
            *_phrases(said.alone, Saying(name), rank, alone=True),
        )
    ],
    _FILLERS,
)
_COURTESIES = _Index(
    [phrase for name, said in lexicon.COURTESIES.items() for phrase in _phrases(said, Saying(name), alone=True)],
    _FILLERS | _set(lexicon.PRAISE),
)
_KNOWN = (
    _FILLERS
    | _COURTESIES.beside
    | _set(lexicon.NOT_SLIPS)
    | frozenset().union(
        *(index.words for index in (_NOTHING, _TROUBLE, _DENIED, _COMMANDS, _COURTESIES, _HYPOTHETICAL))
    )
)
_BY_INITIAL = {
    initial: sorted(word for word in _KNOWN if word[0] == initial and len(word) >= 4)
    for initial in {word[0] for word in _KNOWN}
}
