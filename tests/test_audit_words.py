"""The audit's page says every line in words, never by a name of ours."""

import re
from collections.abc import Iterator
from pathlib import Path

from handlers.web.shop import audit_words
from handlers.words import words
from store.staff import Role
from tests import test_console
from tests.test_console import Console

console, database_url = test_console.console, test_console.database_url
HOUSE = Path(__file__).parent.parent
CALL = re.compile(r"audit\.record\(\s*\w+,\s*(?:[\w.]+|f?\"[^\"]*\"),\s*(\"[\w.]+\"|[A-Z_]+\b)", re.DOTALL)


def recorded() -> Iterator[str]:
    """The kinds of lines that the program writes."""
    for folder in ("loyalty", "support", "handlers", "bot"):
        for file in (HOUSE / folder).rglob("*.py"):
            text = file.read_text(encoding="utf-8")
            for kind in CALL.findall(text):
                named = re.search(rf'^{kind} = "([\w.]+)"', text, re.MULTILINE)
                yield named[1] if named else kind.strip('"')


def test_every_kind_of_line_has_words() -> None:
    kinds = set(recorded())
    assert len(kinds) > 40
    known = set(audit_words.actions(words("vi")))
    assert kinds <= known, sorted(kinds - known)


async def test_a_line_names_what_changed_in_words(console: Console) -> None:
    owner = await console.as_(Role.OWNER)
    offer = await test_console.offer(console)
    await owner.post(f"/shop/offers/{offer.id}/hide")
    page = await owner.get("/shop/audit")
    assert "hid an offer" in page.text
    assert re.search(r"hidden\s+no\s+yes", page.text), page.text
