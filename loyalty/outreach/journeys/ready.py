"""Ready-made journeys: what every shop means to do for its customers. Taken over as a draft, off, and changed as any other.

Their words are the shop's own once taken over, so they stand here in both languages, as a good shop assistant says them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from sqlalchemy.orm import Session

from loyalty.outreach.journeys import journeys
from loyalty.outreach.journeys.journeys import Journey
from loyalty.outreach.journeys.steps import BRANCHES
from loyalty.vouchers import voucher_programs
from loyalty.vouchers.voucher_programs import Kind
from store import shops
from store.errors import NotFoundError

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Gift:
    """The hidden voucher that a journey gives: its name by language, đồng off, from which order on, days it is good for."""

    names: Mapping[str, str]
    value: int
    min_order: int
    days: int


@dataclass(frozen=True, slots=True)
class Ready:
    """A ready-made journey: its name by language, and the rest as `journeys.add` takes it. A voucher step's programme is
    made when it is taken over, and of a task's or tag's words those in the shop's language are taken.
    """

    names: Mapping[str, str]
    trigger: Json
    steps: list[Json]
    who: Json | None = None
    gift: Gift | None = None


def _say(vi: str, en: str, purpose: str = "care") -> Json:
    return {"kind": "message", "purpose": purpose, "messages": {"vi": vi, "en": en}}


def _task(vi: str, en: str) -> Json:
    return {"kind": "task", "text": {"vi": vi, "en": en}}


def _wait(days: int, at: str = "10:00") -> Json:
    return {"kind": "wait", "days": days, "at": at}


def _if(field: str, op: str, value: int, then: list[Json], otherwise: list[Json] | None = None) -> Json:
    asked = {"field": field, "op": op, "value": value}
    return {"kind": "condition", "criteria": asked, "then": then, "else": otherwise or []}


_EXIT: Json = {"kind": "exit"}
_VOUCHER: Json = {"kind": "voucher", "program": None}


READY: Mapping[str, Ready] = MappingProxyType({
    "welcome": Ready(
        {"vi": "Chào khách mới", "en": "Welcome"}, {"kind": "joined"},
        [
            _say(
                "Chào {{ name }}, {{ shop }} vui vì có {{ you }} 🌱\n\nTừ nay mỗi lần mua {{ you }} đều được cộng điểm. Gõ "
                "/points để xem điểm, /rewards để xem quà. Cần gì {{ you }} cứ nhắn vào đây nhé.",
                "Hi {{ name }}, {{ shop }} is glad to have you 🌱\n\nFrom now on every visit earns you points. /points shows "
                "them, /rewards shows what they buy. Just write here whenever you need something.",
            ),
            _wait(3),
            _if("orders_count", "=", 0, [_say(
                "{{ You }} ơi, lần tới ghé {{ shop }} {{ you }} chỉ cần đọc số điện thoại ở quầy là được cộng điểm ngay ạ.",
                "On your next visit to {{ shop }} just say your phone number at the counter, and the points are yours.",
            )]),
        ],
    ),
    "account_offer": Ready(
        {"vi": "Sau đơn đầu tiên", "en": "After the first order"}, {"kind": "first_order"},
        [
            {"kind": "wait", "hours": 2},
            _say(
                "Cảm ơn {{ name }} đã mua lần đầu ở {{ shop }} 💛 {{ You }} đang có {{ points }} điểm rồi đó. Gõ /card để lấy "
                "thẻ thành viên, lần sau {{ you }} đưa thẻ là được cộng điểm.",
                "Thank you for your first order at {{ shop }}, {{ name }} 💛 You have {{ points }} points already. /card gives "
                "you your member card: show it next time and the points are added.",
            ),
        ],
    ),
    "thank_you": Ready(
        {"vi": "Cảm ơn khách quen", "en": "Thanks after a visit"}, {"kind": "order_completed"},
        [
            _wait(1),
            _say(
                "{{ We }} cảm ơn {{ name }} đã ghé {{ shop }} hôm qua. Có gì chưa ưng, {{ you }} nhắn {{ we }} một câu, {{ we }} "
                "sửa liền ạ.",
                "Thank you for coming to {{ shop }} yesterday, {{ name }}. If anything wasn't right, tell us in a word and we "
                "put it right.",
            ),
        ],
        who={"field": "orders_count", "op": ">=", "value": 3},
    ),
    "second_order": Ready(
        {"vi": "Quà cho đơn thứ hai", "en": "Second-order reward"}, {"kind": "first_order"},
        [
            _wait(10),
            _if("orders_count", ">=", 2, [_EXIT]),
            _VOUCHER,
            _say(
                "{{ You }} ơi, {{ shop }} để dành cho {{ you }} một mã giảm giá cho lần ghé tới, {{ you }} ghé lúc nào tiện nhé.",
                "{{ shop }} has put a voucher aside for your next visit.",
                "advertising",
            ),
        ],
        gift=Gift({"vi": "Quà đơn thứ hai", "en": "Second-order reward"}, 20_000, 60_000, 30),
    ),
    "birthday": Ready(
        {"vi": "Mừng sinh nhật", "en": "Birthday gift"}, {"kind": "birthday", "days_before": 3},
        [
            _VOUCHER,
            _say(
                "Sắp đến sinh nhật {{ name }} rồi 🎂 {{ shop }} gửi {{ you }} một món quà nhỏ, hôm nào tiện {{ you }} ghé lấy nhé.",
                "Your birthday is near, {{ name }} 🎂 {{ shop }} has a small gift for you: come by whenever you like.",
            ),
            _wait(3, "08:30"),
            _say(
                "Chúc mừng sinh nhật {{ name }}! {{ shop }} chúc {{ you }} tuổi mới thật nhiều niềm vui ạ.",
                "Happy birthday, {{ name }}! All of us at {{ shop }} wish you a wonderful year.",
            ),
        ],
        gift=Gift({"vi": "Quà sinh nhật", "en": "Birthday gift"}, 50_000, 0, 30),
    ),
    "win_back": Ready(
        {"vi": "Mời khách quay lại", "en": "Win-back in three steps"}, {"kind": "no_order", "days": 45},
        [
            _say(
                "Lâu rồi {{ shop }} chưa gặp {{ name }}. {{ You }} vẫn khoẻ chứ ạ? {{ You }} còn {{ points }} điểm ở đây, ghé "
                "chơi lúc nào cũng được nhé.",
                "It has been a while, {{ name }}. Are you well? {{ points }} points are still waiting for you at {{ shop }}.",
                "advertising",
            ),
            _wait(10),
            _if("days_since_last_order", "<=", 10, [_EXIT]),
            _VOUCHER,
            _say(
                "{{ shop }} gửi {{ you }} một mã giảm giá để lần tới ghé cho vui ạ.",
                "Here is a little reason to come by: a voucher from {{ shop }}.",
                "advertising",
            ),
            _wait(20),
            _if("days_since_last_order", "<=", 30, [_EXIT]),
            _say(
                "{{ name }} ơi, nếu có điều gì ở {{ shop }} làm {{ you }} chưa vui, {{ you }} nhắn {{ we }} biết nhé. {{ We }} đọc "
                "từng tin và thật lòng muốn làm tốt hơn.",
                "If anything at {{ shop }} made you stay away, {{ name }}, please tell us. We read every word and want to do better.",
                "advertising",
            ),
            {"kind": "tag", "tag": {"vi": "lâu chưa ghé", "en": "sleeping"}},
        ],
        who={"field": "orders_count", "op": ">=", "value": 2},
        gift=Gift({"vi": "Mời bạn quay lại", "en": "Come back"}, 30_000, 80_000, 30),
    ),
    "points_expiring": Ready(
        {"vi": "Điểm sắp hết hạn", "en": "Points expiring"}, {"kind": "points_expiring", "days": 14},
        [_say(
            "{{ name }} ơi, một phần điểm của {{ you }} sẽ hết hạn trong 2 tuần nữa. {{ You }} đang có {{ points }} điểm: gõ "
            "/rewards xem đổi được quà gì nhé.",
            "Hi {{ name }}, some of your points expire in two weeks. You have {{ points }}: /rewards shows what they buy.",
        )],
    ),
    "tier_at_risk": Ready(
        {"vi": "Sắp rớt hạng", "en": "Tier at risk"}, {"kind": "tier_at_risk", "days": 21},
        [_say(
            "{{ name }} đang ở hạng {{ tier }} của {{ shop }} và chỉ cần ghé thêm chút nữa là giữ được hạng ạ. Gõ /card để xem còn "
            "thiếu bao nhiêu nhé.",
            "You are {{ tier }} at {{ shop }}, {{ name }}, and a little more keeps you there. /card shows what is missing.",
        )],
    ),
    "review": Ready(
        {"vi": "Xin nhận xét", "en": "Review request"}, {"kind": "second_order"},
        [
            _wait(1, "18:00"),
            _say(
                "{{ name }} thấy {{ shop }} thế nào ạ? Chỉ một câu khen chê của {{ you }} cũng giúp {{ we }} làm tốt hơn. {{ You }} "
                "trả lời ngay ở đây nhé.",
                "How do you like {{ shop }}, {{ name }}? One honest sentence helps us to get better. Just answer here.",
            ),
        ],
    ),
    "recovery": Ready(
        {"vi": "Chăm lại sau đánh giá thấp", "en": "Recovery after a complaint"}, {"kind": "low_rating", "stars": 2},
        [
            _task(
                "Gọi cho khách: hỏi xem điều gì chưa ổn, kể mình đã sửa thế nào.",
                "Call them: ask what went wrong, and tell what was put right.",
            ),
            _wait(7),
            _if("open_complaints", "=", 0, [_say(
                "{{ name }} ơi, tuần trước {{ shop }} làm {{ you }} chưa hài lòng, {{ we }} xin lỗi {{ you }}. {{ We }} đã xem lại và "
                "mong được đón {{ you }} lần nữa.",
                "Last week we let you down, {{ name }}, and we are sorry. We have looked into it, and hope to see you again at "
                "{{ shop }}.",
            )]),
        ],
    ),
    "referral": Ready(
        {"vi": "Rủ bạn cùng đi", "en": "Referral nudge"}, {"kind": "order_completed"},
        [
            _wait(2, "11:00"),
            _say(
                "{{ name }} có người bạn nào cũng thích {{ shop }} không? Gõ /invite lấy đường dẫn gửi bạn: bạn ấy mua lần đầu là "
                "cả hai cùng có điểm.",
                "Do you know somebody who would like {{ shop }} too, {{ name }}? /invite gives you a link: at their first order "
                "you both get points.",
                "advertising",
            ),
        ],
        who={"field": "orders_count", "op": "=", "value": 4},
    ),
    "handwritten": Ready(
        {"vi": "Thiệp tay cho khách thân nhất", "en": "Handwritten note for the best"}, {"kind": "tier_up"},
        [
            _if("orders_count", ">=", 10, [
                _task(
                    "Viết tay một tấm thiệp cảm ơn, để sẵn ở quầy cho lần tới khách ghé.",
                    "Write a thank-you card by hand, and keep it at the counter for their next visit.",
                ),
            ]),
        ],
    ),
})  # fmt: skip
"""By their keys, in the order in which they are shown."""


def adopt(session: Session, shop_id: int, key: str, actor: str) -> Journey:
    """Take one over as a draft that is off; the voucher that it gives is made with it, hidden. Raises NotFoundError."""
    chosen = READY.get(key)
    if chosen is None:
        raise NotFoundError("journey", key)
    language = shops.get(session, shop_id).language
    name = chosen.names.get(language) or chosen.names["en"]
    program = None
    if chosen.gift is not None:
        gift = chosen.gift
        program = voucher_programs.add(
            session, name=gift.names.get(language) or gift.names["en"], kind=Kind.AMOUNT, value=gift.value, shop_id=shop_id,
            min_order=gift.min_order, valid_days=gift.days, hidden=True, per_customer=None,
        ).id  # fmt: skip
    listed = _filled(chosen.steps, language, program)
    return journeys.add(session, shop_id, actor, name=name, trigger=chosen.trigger, steps=listed, who=chosen.who)


def _filled(listed: list[Json], language: str, program: int | None) -> list[Json]:
    """Steps with the programme, and with the words of one language where there are two."""

    def one(step: Json) -> Json:
        filled = dict(step)
        if step["kind"] == "voucher":
            filled["program"] = program
        for name in ("text", "tag"):
            if name in step:
                filled[name] = step[name].get(language) or step[name]["en"]
        return filled | {name: _filled(step[name], language, program) for name in BRANCHES.get(step["kind"], ())}

    return [one(step) for step in listed]
