"""Words: one gettext catalogue for chat, pages and notices, and numbers, money and dates as the reader writes them."""

import gettext
from datetime import date, datetime
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from babel import Locale
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

import locales

LANGUAGES = ("vi", "en")
FOLDER = Path(locales.__file__).parent
SPACE = "\N{NO-BREAK SPACE}"
Day = date
"""`date` under a name that the method `date` does not hide."""


class Words:
    """Everything that is said in one language. Message ids are English; `_("…", name=value)` fills in named places."""

    def __init__(self, language: str, translations: gettext.NullTranslations) -> None:
        self.language = language
        self.translations = translations
        self._group = Locale(language).number_symbols["latn"]["group"]

    def __call__(self, message: str, /, **values: Any) -> str:
        said = self.translations.gettext(message)
        return said.format(**values) if values else said

    def plural(self, one: str, many: str, n: int, /, **values: Any) -> str:
        """The form for `n`, which fills the place `{n}` as a grouped number."""
        return self.translations.ngettext(one, many, n).format(n=self.number(n), **values)

    def number(self, value: int) -> str:
        """1.234 in Vietnamese, 1,234 in English."""
        return f"{value:,}".replace(",", self._group)

    def signed(self, value: int) -> str:
        """+50, −20."""
        return ("+" if value >= 0 else "−") + self.number(abs(value))

    def money(self, amount: int, currency: str = "VND") -> str:
        """85.000 ₫ in Vietnamese, ₫85,000 in English; amounts are whole đồng."""
        sign = "₫" if currency == "VND" else currency
        text = self.number(abs(amount))
        text = f"{text}{SPACE}{sign}" if self.language == "vi" else f"{sign}{text}"
        return f"−{text}" if amount < 0 else text

    def date(self, day: Day) -> str:
        """21/11/2026 in Vietnamese, 21 Nov 2026 in English."""
        return day.strftime("%d/%m/%Y") if self.language == "vi" else f"{day.day} {day:%b %Y}"

    def day(self, day: Day) -> str:
        """21/11, 21 Nov: a date near enough to need no year."""
        return day.strftime("%d/%m") if self.language == "vi" else f"{day.day} {day:%b}"

    def time(self, at: datetime, zone: str) -> str:
        """14:05 on the zone's clock."""
        return at.astimezone(ZoneInfo(zone)).strftime("%H:%M")

    def moment(self, at: datetime, zone: str) -> str:
        """14:05 21/11/2026 on the zone's clock."""
        local = at.astimezone(ZoneInfo(zone))
        return f"{local:%H:%M} {self.date(local.date())}"


@cache
def words(language: str) -> Words:
    """The words of a language; Vietnamese where it isn't one of ours. Catalogues are read once, at their first use."""
    if language not in LANGUAGES:
        return words(LANGUAGES[0])
    path = FOLDER / language / "LC_MESSAGES" / "regulars.po"
    if not path.exists():
        return Words(language, gettext.NullTranslations())
    with path.open("rb") as file:
        catalogue = read_po(file, locale=language)
    compiled = BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    return Words(language, gettext.GNUTranslations(compiled))
