import pytest
from hypothesis import given
from hypothesis import strategies as st

from store.text import fold


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("Điểm của Tôi", "diem cua toi"),
        ("ĐẶNG THUỲ TRÂM", "dang thuy tram"),
        ("Nguye\u0302\u0303n", "nguyen"),  # decomposed, as some phones type it
        ("ăâđêôơư ÁÀẢÃẠ ỨỪỬỮỰ", "aadeoou aaaaa uuuuu"),
        ("Plain ASCII 42", "plain ascii 42"),
        ("Café Zoë Ñandú", "cafe zoe nandu"),
        ("", ""),
        ("500.000 ₫ 🎁", "500.000 ₫ 🎁"),
        ("ที่นี่", "ที่นี่"),  # Thai vowels are marks too, and stay
        ("한국어", "한국어"),
        ("İstanbul", "istanbul"),
    ],
)
def test_folds(text: str, folded: str) -> None:
    assert fold(text) == folded


@given(st.text())
def test_folding_again_changes_nothing(text: str) -> None:
    assert fold(fold(text)) == fold(text)


@given(st.text(alphabet="aàảãáạăâbcdđeéẹêghiíklmnoóọôơpqrstuúụưvxyýỵ AĂÂĐÊÔƠƯ"))
def test_vietnamese_folds_to_ascii_of_the_same_length(text: str) -> None:
    assert fold(text).isascii()
    assert len(fold(text)) == len(text)
