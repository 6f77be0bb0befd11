"""How grave a complaint is: forty and more of them, in Vietnamese with and without marks and in English, each with its
level and what raised it.
"""

import pytest

from support.complaints import replies
from support.complaints.complaints import Remedy
from support.complaints.severity import Case, Why, alarming, judge

GOLD = {"rank": 2, "tier": "Vàng"}
CASES: list[tuple[str, dict[str, object], int, list[Why]]] = [
    # What went wrong.
    ("Uống xong tôi bị đau bụng, phải nhập viện", {}, 1, [Why.HEALTH]),
    ("uong xong bi dau bung ca dem", {}, 1, [Why.HEALTH]),
    ("My son had an allergic reaction to the cake", {}, 1, [Why.HEALTH]),
    ("The coffee burnt my hand", {}, 1, [Why.HEALTH]),
    ("Trong ly có mảnh thuỷ tinh", {}, 1, [Why.UNSAFE]),
    ("trong banh co con gian", {}, 1, [Why.UNSAFE]),
    ("Bánh bị mốc xanh hết rồi", {}, 1, [Why.UNSAFE]),
    ("Sữa quá hạn cả tuần mà vẫn bán", {}, 1, [Why.UNSAFE]),
    ("Nhân viên của quán quấy rối em gái tôi", {}, 1, [Why.HARM]),
    ("Tôi sẽ nhờ luật sư", {}, 1, [Why.LAW]),
    ("toi se bao cong an", {}, 1, [Why.LAW]),
    ("I will call the police", {}, 1, [Why.LAW]),
    ("shop lam lo so dien thoai cua toi", {}, 1, [Why.DATA]),
    ("Bị trừ tiền hai lần cho một đơn", {}, 2, [Why.MONEY]),
    ("quet the bi tru 2 lan roi shop oi", {}, 2, [Why.MONEY]),
    ("I was charged twice for one order", {}, 2, [Why.MONEY]),
    ("Hàng giả, lừa đảo khách", {}, 2, [Why.MONEY]),
    ("nhan vien thai do loi lom", {}, 2, [Why.CONDUCT]),
    ("The staff was so rude to my mother", {}, 2, [Why.CONDUCT]),
    ("Có sợi tóc trong ly trà", {}, 2, [Why.HYGIENE]),
    ("Tôi sẽ bóc phốt lên mạng", {}, 2, [Why.PUBLIC]),
    ("Ly bị vỡ khi giao", {}, 3, [Why.FAULT]),
    ("ly bi vo het roi", {}, 3, [Why.FAULT]),
    ("Giao nhầm món rồi shop", {}, 3, [Why.FAULT]),
    ("giao thieu 1 ly tra dao", {}, 3, [Why.FAULT]),
    ("My cup arrived broken", {}, 3, [Why.FAULT]),
    ("Chờ 45 phút chưa có nước", {}, 3, [Why.LATE]),
    ("doi hoai khong thay giao", {}, 3, [Why.LATE]),
    ("Still waiting for my order", {}, 3, [Why.LATE]),
    ("Quán hứa gọi lại mà không thấy", {}, 3, [Why.PROMISE]),
    ("diem cua minh bi tru ma khong bao", {}, 3, [Why.POINTS]),
    ("I lost my points", {}, 3, [Why.POINTS]),
    ("Trà hơi ngọt so với lần trước", {}, 4, []),
    ("nhac hoi on", {}, 4, []),
    ("Could you add more tables?", {}, 4, []),
    # What is denied, asked about or only sounds alike.
    ("Ly không bị vỡ nhưng trà hơi nhạt", {}, 4, []),
    ("Nếu bị dị ứng thì sao?", {}, 4, []),
    ("Hàng về nguyên vẹn, không lỗi gì", {}, 4, []),
    ("Quán cháy hàng món bánh rồi", {}, 4, []),
    ("sự kiện cuối tuần ở quán", {}, 4, []),
    # How it is said, and who says it.
    ("Ly bị vỡ, tôi rất thất vọng", {}, 2, [Why.FAULT, Why.TONE]),
    ("Giao nhầm món, lần sau không quay lại nữa", {}, 2, [Why.FAULT, Why.LEAVING]),
    ("Ly bị vỡ khi giao", {"order_value": 800_000}, 2, [Why.FAULT, Why.ORDER]),
    ("Ly bị vỡ khi giao", {"order_value": 499_999}, 3, [Why.FAULT]),
    ("Ly bị vỡ khi giao", GOLD, 2, [Why.FAULT, Why.TIER]),
    ("Ly bị vỡ, quá tệ", {**GOLD, "order_value": 2_000_000}, 2, [Why.FAULT, Why.TONE, Why.ORDER, Why.TIER]),
    ("Trà hơi ngọt", GOLD, 3, [Why.TIER]),
    # Once more.
    ("Ly bị vỡ khi giao", {"repeats": 1001}, 2, [Why.FAULT, Why.REPEAT]),
    ("Nhân viên chửi khách", {"repeats": 1001}, 1, [Why.CONDUCT, Why.REPEAT]),
    ("Uống xong bị ngộ độc", {"repeats": 1001}, 1, [Why.HEALTH, Why.REPEAT]),
]


@pytest.mark.parametrize(
    ("text", "known", "level", "why"), CASES, ids=[f"{i} {c[0][:24]}" for i, c in enumerate(CASES)]
)
def test_each_complaint_has_its_level_and_its_reasons(
    text: str, known: dict[str, object], level: int, why: list[Why]
) -> None:
    judged = judge(Case(text, **known))  # type: ignore[arg-type]
    assert (int(judged.level), [fact.why for fact in judged.facts]) == (level, why)


def test_the_facts_say_what_was_read() -> None:
    facts = judge(Case("Trà bị đổ, thất vọng quá", order_value=900_000, tier="Vàng", rank=2, repeats=1007)).facts
    assert [(fact.why, fact.said) for fact in facts] == [
        (Why.FAULT, "bị đổ"), (Why.TONE, "thất vọng"), (Why.ORDER, "900000"), (Why.TIER, "Vàng"), (Why.REPEAT, "1007"),
    ]  # fmt: skip


def test_only_grave_words_make_a_complaint_of_something_else() -> None:
    assert alarming("Cho mình hỏi, trong bánh có con gián")
    assert not alarming("Ly bị vỡ")
    assert not alarming("Quán mở cửa mấy giờ?")


@pytest.mark.parametrize(
    ("text", "well"),
    [
        ("Ổn rồi shop ơi", True), ("ok r nha", True), ("da nhan duoc roi, cam on", True), ("All good, thanks", True),
        ("Vẫn chưa được", False), ("chua on", False), ("not really", False), ("Ly mới lại bị vỡ", False),
        ("Quán mở cửa mấy giờ?", None), ("", None),
    ],
)  # fmt: skip
def test_free_words_say_whether_all_is_well(text: str, well: bool | None) -> None:
    assert replies.well(text) is well


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("hoàn tiền cho mình", Remedy.REFUND), ("doi ly khac cho em", Remedy.REPLACE), ("I want a refund", Remedy.REFUND),
        ("mình muốn quán bồi thường", Remedy.GOODWILL), ("ít nhất cũng xin lỗi một tiếng", Remedy.APOLOGY), ("ly bị vỡ", None),
    ],
)  # fmt: skip
def test_free_words_say_what_is_asked_for(text: str, wanted: Remedy | None) -> None:
    assert replies.remedy(text) == wanted
