"""The table in questions.tsv: what customers ask, which article answers it ("-": none), and whether the weighing was tuned
on it. `held` questions are never looked at while tuning; of those that fail only the count is told.
"""

import time
from pathlib import Path
from typing import NamedTuple

import pytest

from store.text import fold
from support.answers import matching
from support.answers.matching import Entry

TABLE = Path(__file__).with_name("questions.tsv")
SHELF = {
    "hours": (
        "Giờ mở cửa", "Opening hours", "quán mở cửa mấy giờ", "mấy giờ đóng cửa", "when do you open or close",
        "Quán mở cửa từ 7:00 đến 22:30 mỗi ngày, chủ nhật và ngày lễ cũng vậy. Tết nghỉ từ 29 đến mùng 3.",
    ),
    "wifi": ("Mật khẩu Wi-Fi", "Wi-Fi password", "Mạng PhoCafe, mật khẩu: caphengon."),
    "parking": (
        "Chỗ gửi xe", "Parking", "đậu xe hơi ở đâu", "bãi giữ xe máy",
        "Xe máy gửi miễn phí trước quán. Ô tô đậu ở bãi 12 Lê Lợi, 20.000 ₫ một giờ.",
    ),
    "delivery": (
        "Phí giao hàng", "Delivery fee and area", "quán có giao hàng tận nơi không", "phí ship bao nhiêu",
        "Giao trong 5 km quanh quán, 15.000 ₫; miễn phí cho đơn từ 200.000 ₫. Quận 1, 3, 5, 7 và Thủ Đức.",
    ),
    "booking": (
        "Đặt bàn trước", "Book a table", "đặt chỗ cho nhóm",
        "Nhóm từ 6 người nên đặt trước một ngày qua số 0903 123 456. Bàn giữ 15 phút.",
    ),
    "payment": (
        "Các cách thanh toán", "How to pay", "chuyển khoản được không", "quẹt thẻ được không", "pay by card",
        "Tiền mặt, chuyển khoản, thẻ Visa, Mastercard, MoMo, ZaloPay.",
    ),
    "returns": (
        "Đổi trả hàng", "Return policy", "mua rồi có được đổi trả không", "trả lại hàng đã mua",
        "Hạt và ly tách chưa dùng được đổi trong 7 ngày với hóa đơn.",
    ),
    "pets": ("Mang theo thú cưng", "Pets", "mang chó mèo vào quán được không", "Sân ngoài trời đón các bạn nhỏ có dây dắt."),
    "birthday": (
        "Tổ chức sinh nhật tại quán", "Birthday parties", "trang trí sinh nhật",
        "Quán giữ khu riêng cho nhóm từ 10 người, trang trí từ 300.000 ₫.",
    ),
    "invoice": (
        "Xuất hóa đơn đỏ", "VAT invoice", "hóa đơn công ty",
        "Gửi mã số thuế và tên công ty trong ngày mua, hóa đơn VAT đến qua email.",
    ),
    "milk": (
        "Sữa thực vật và dị ứng", "Plant milk and allergies", "có sữa yến mạch không", "dị ứng sữa bò", "oat milk",
        "Đổi sang sữa yến mạch hoặc hạnh nhân thêm 10.000 ₫.",
    ),
    "address": (
        "Địa chỉ các chi nhánh", "Where we are located", "quán ở đường nào", "quán có mấy chi nhánh",
        "12 Lê Lợi, Quận 1 và 45 Võ Văn Ngân, Thủ Đức.",
    ),
}  # fmt: skip
KEYS = list(SHELF)
ENTRIES = [Entry(number, tuple(said[:-1]), said[-1]) for number, said in enumerate(SHELF.values())]


class Row(NamedTuple):
    question: str
    article: str
    kind: str


ROWS = [Row(*line.split("\t")) for line in TABLE.read_text(encoding="utf-8").splitlines()[1:]]
TUNED = [row for row in ROWS if row.kind == "tuned"]
HELD = [row for row in ROWS if row.kind == "held"]


def _answer(question: str) -> str:
    found = matching.best(question, ENTRIES)
    return KEYS[found.id] if found else "-"


def _missed(rows: list[Row]) -> list[tuple[Row, str]]:
    return [(row, got) for row in rows if (got := _answer(row.question)) != row.article]


def test_the_table_is_what_it_says() -> None:
    assert len(ROWS) == len({row.question for row in ROWS}) >= 80
    assert {row.article for row in TUNED} == {row.article for row in HELD} == {"-", *KEYS}
    assert len(HELD) * 5 >= len(ROWS) * 2
    assert sum(row.article == "-" for row in ROWS) * 3 >= len(ROWS)


def test_every_tuned_question_finds_its_article_or_none() -> None:
    assert [f"{row.question!r}: {row.article}, not {got}" for row, got in _missed(TUNED)] == []


def test_of_the_questions_kept_out_hardly_any_is_answered_wrongly() -> None:
    missed = _missed(HELD)
    wrong = [one for one in missed if one[1] != "-"]
    told = f"{len(HELD) - len(missed)} of {len(HELD)} held questions right, {len(wrong)} answered with a wrong article"
    print(told)
    assert len(missed) * 5 <= len(HELD), told
    # A wrong article is worse than none.
    assert len(wrong) * 25 <= len(HELD), told


@pytest.mark.parametrize("row", TUNED, ids=lambda row: row.question)
def test_without_marks_and_in_capitals_the_same_is_found(row: Row) -> None:
    if row.article != "-":
        assert _answer(fold(row.question)) == _answer(row.question.upper()) == row.article


def test_other_marks_are_another_word() -> None:
    shelf = [Entry(1, ("Đặt bàn",), ""), Entry(2, ("Bán đất",), "")]
    assert matching.best("đặt bàn", shelf) == matching.Found(1, pytest.approx(1.0))
    assert [found.id for found in matching.ranked("bán đất thế nào", shelf, 2)] == [2, 1]
    assert matching.best("hòa đơn", [Entry(1, ("Hoà đơn",), "")]) is not None


def test_a_story_is_no_question() -> None:
    assert not matching.asks("Hôm qua mình ghé quán với bạn, ngồi bàn gần cửa sổ, uống cà phê sữa rất ngon")
    assert matching.asks("Hôm qua mình ghé quán với bạn, ngồi bàn gần cửa sổ, giá cà phê sữa là bao nhiêu")
    assert not matching.asks("mấy giờ mở cửa " * 40)
    assert not matching.asks("")


def test_nothing_is_found_on_an_empty_shelf_or_for_empty_words() -> None:
    assert matching.best("mấy giờ mở cửa", []) is None
    assert matching.best("là gì?", ENTRIES) is None
    assert matching.ranked("", ENTRIES, 3) == []


def test_questions_for_the_same_have_one_key() -> None:
    assert matching.key("Quán có máy lạnh không?") == matching.key("co may lanh ko ạ") != ""


def test_five_hundred_articles_are_looked_through_at_once() -> None:
    shelf = [Entry(n, (f"Câu hỏi số {n} về món {n * 7}", f"other {n}"), "chữ " * 200) for n in range(500)]
    matching.best("món bánh mì thịt nướng", shelf)
    began = time.process_time()
    for question in ("giờ mở cửa mùa hè", "phí gửi xe hơi", "ly giữ nhiệt"):
        matching.best(question, shelf)
    assert (time.process_time() - began) / 3 < 0.5
