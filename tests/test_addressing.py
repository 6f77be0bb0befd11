import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty.customers.addressing import NAME_LENGTH, Address, given_name, pronoun, self_pronoun, vocative


@pytest.mark.parametrize(
    ("full_name", "language", "name"),
    [
        ("Nguyễn Thị Lan", None, "Lan"),
        ("Nguyễn Thị Lan", "vi", "Lan"),
        ("  Trần   Văn\tMinh \n", "vi", "Minh"),
        ("Minh", None, "Minh"),
        ("John Smith", "en", "John"),
        ("John Smith", "en-GB", "John"),
        ("John Smith", "EN_us", "John"),
        ("Nguyễn Thị Lan", "en", "Nguyễn"),
        ("Lan 🌸✨", "vi", "Lan"),
        ("🌸Lan🌸", "vi", "Lan"),
        ("👩‍👧 Mẹ Bống ❤️", "vi", "Bống"),
        ("Lan 🇻🇳", "vi", "Lan"),
        ("~ Lan ~", "vi", "Lan"),
        ("Lan (2)", "vi", "Lan"),
        ("Lan.", "vi", "Lan"),
        ("Jean-Luc Picard", "en", "Jean-Luc"),
        ("Mary O'Neil", "vi", "O'Neil"),
        ("\u202eLan\u202c", "vi", "Lan"),
        ("La\u200bn\x00\x07", "vi", "Lan"),
        ("𝓛𝓪𝓷 𝓐𝓷𝓱", "vi", "Anh"),
        ("Lan\u0323", "vi", "Laṇ"),
        ("<b>Lan</b>", "vi", "<b>Lan</b>"),
        ("Nguyễn <script>alert(1)</script>", "vi", "<script>alert(1)</script>"),
        ("محمد علي", "vi", "علي"),
        ("", None, ""),
        ("   ", "en", ""),
        ("🔥🔥", "vi", ""),
        ("123 456", "vi", ""),
        ("Đ" * 500, "vi", "Đ" * NAME_LENGTH),
    ],
)
def test_given_name(full_name: str, language: str | None, name: str) -> None:
    assert given_name(full_name, language) == name


@given(st.text(), st.sampled_from([None, "vi", "en", ""]))
def test_a_given_name_is_one_short_visible_word(full_name: str, language: str | None) -> None:
    name = given_name(full_name, language)
    assert len(name) <= NAME_LENGTH
    assert name.split() in ([], [name])
    assert not {unicodedata.category(character) for character in name} & {"Cc", "Cf", "Cs", "So"}


@pytest.mark.parametrize(
    ("address", "you", "we", "with_name"),
    [
        ("ban", "bạn", "mình", "bạn Lan"),
        ("anh", "anh", "em", "anh Lan"),
        ("chi", "chị", "em", "chị Lan"),
        ("co", "cô", "cháu", "cô Lan"),
        ("chu", "chú", "cháu", "chú Lan"),
    ],
)
def test_forms_of_address(address: str, you: str, we: str, with_name: str) -> None:
    chosen = Address(address)
    assert pronoun(chosen) == you
    assert self_pronoun(chosen) == we
    assert vocative(chosen, "Lan") == with_name
    assert vocative(chosen, "") == you


def test_every_address_has_its_words() -> None:
    assert all(pronoun(address) and self_pronoun(address) for address in Address)
