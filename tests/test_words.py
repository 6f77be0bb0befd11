"""The catalogues: complete in every language, up to date with the code, every place filled alike."""

import ast
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.pofile import read_po

from handlers.chat.voice import Voice
from handlers.words import FOLDER, LANGUAGES, words

ROOT = Path(__file__).parent.parent
PLACE = re.compile(r"\{(\w*)\}")
OF_THE_PERSON = {"you", "You", "we", "We", "name", "Name"}
"""Places that Voice fills by itself: Vietnamese needs them where English doesn't."""
SPEAKERS = {"say", "said", "words", "plural", "_"}


def catalogue(path: Path, language: str | None = None) -> Catalog:
    with path.open("rb") as file:
        return read_po(file, locale=language)


def of_language(language: str) -> Catalog:
    return catalogue(FOLDER / language / "LC_MESSAGES" / "regulars.po", language)


def template() -> Catalog:
    return catalogue(FOLDER / "regulars.pot")


def ids(found: Catalog) -> set[str]:
    return {first(message) for message in found if message.id}


def first(message: Message) -> str:
    return message.id if isinstance(message.id, str) else message.id[0]


def forms(message: Message) -> list[str]:
    return [message.string] if isinstance(message.string, str) else list(message.string)


def sources() -> Iterator[tuple[Path, ast.Module]]:
    for folder in ("bot", "handlers"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield path, ast.parse(path.read_text())


def spoken() -> Iterator[tuple[Path, ast.Call, str]]:
    """Every call in the code that says a text written there: where, the call, the text."""
    for path, tree in sources():
        for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
            name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
            text = call.args[0].value if call.args and isinstance(call.args[0], ast.Constant) else None
            if name in SPEAKERS and isinstance(text, str):
                yield path, call, text


def test_the_template_is_what_the_code_says(tmp_path: Path) -> None:
    makefile = (ROOT / "Makefile").read_text()
    line = next(line for line in makefile.splitlines() if "pybabel" in line and " extract " in line)
    arguments = shlex.split(line.split("pybabel", 1)[1])
    arguments[arguments.index("-o") + 1] = str(tmp_path / "fresh.pot")
    subprocess.run(
        [sys.executable, "-m", "babel.messages.frontend", *arguments], cwd=ROOT, check=True, capture_output=True
    )
    fresh = catalogue(tmp_path / "fresh.pot")
    assert sorted(ids(fresh) - ids(template())) == [], "new texts: run `make words`"
    assert sorted(ids(template()) - ids(fresh)) == [], "texts that nobody says any more: run `make words`"


def test_extraction_misses_no_text() -> None:
    """What stands inside an f-string, say, is not found by the extraction."""
    known = ids(template())
    missed = {f"{path.relative_to(ROOT)}:{call.lineno}: {text}" for path, call, text in spoken() if text not in known}
    assert sorted(missed) == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_text_is_there(language: str) -> None:
    found = of_language(language)
    assert sorted(ids(template()) - ids(found)) == [], "run `make words` and translate"
    assert sorted(ids(found) - ids(template())) == []
    assert [first(message) for message in found if message.id and not all(forms(message))] == []
    assert [first(message) for message in found if message.id and message.fuzzy] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_same_places_are_filled(language: str) -> None:
    for message in of_language(language):
        if not message.id:
            continue
        said = [message.id] if isinstance(message.id, str) else list(message.id)
        wanted = set().union(*(PLACE.findall(text) for text in said))
        free = OF_THE_PERSON if language == "vi" else set()
        for form in forms(message):
            places = set(PLACE.findall(form))
            assert places <= wanted | free, (message.id, form)
            assert wanted - OF_THE_PERSON - {"n"} <= places, (message.id, form)


def test_only_a_voice_says_what_speaks_to_one_person() -> None:
    """Pages know nobody's form of address: a text that needs it may only be said by a Voice."""
    vietnamese = {first(message): forms(message)[0] for message in of_language("vi") if message.id}
    for path, call, text in spoken():
        personal = set(PLACE.findall(vietnamese.get(text, ""))) & OF_THE_PERSON - set(PLACE.findall(text))
        voice = isinstance(call.func, ast.Attribute) and (
            call.func.attr == "say" or (isinstance(call.func.value, ast.Attribute) and call.func.value.attr == "voice")
        )
        assert voice or not personal, f"{path.relative_to(ROOT)}:{call.lineno}: {text}"


@pytest.mark.parametrize("address", [None, "ban", "anh", "chi", "co", "chu"])
def test_vietnamese_reads_well_in_every_form_of_address(address: str | None) -> None:
    """Sentences begin with a capital, nothing is said twice in a row, a courtesy stands once a sentence."""
    voice = Voice(words("vi"), address, "Nguyễn Thị Lan")
    for message in of_language("vi"):
        text = forms(message)[0] if message.id else ""
        if not set(PLACE.findall(text)) & OF_THE_PERSON:
            continue
        values = dict.fromkeys(PLACE.findall(first(message)), "Ba")
        said = re.sub(r"<[^>]+>|[★🎉🎁]", "", voice.say(first(message), **values)).strip()
        for sentence in re.split(r"(?<=[.!?])\s+", said):
            start = next((sign for sign in sentence if sign.isalpha()), "A")
            assert start.isupper() or message.string[:1].islower() or said[:1] in ",(", (said, sentence)
            politeness = re.findall(r"\b(?:ạ|nhé)\b", sentence.lower())
            assert len(politeness) <= 1, sentence
        assert not re.search(r"\b(\w+) \1\b", said, re.IGNORECASE), said
        assert "{" not in said


def test_a_language_that_is_not_ours_is_vietnamese() -> None:
    assert words("fr") is words("vi")
