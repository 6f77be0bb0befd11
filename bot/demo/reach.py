"""The demo's words for many: what the shop has written down, ready answers, two journeys that have run for weeks, a campaign in draft."""

from datetime import datetime, time, timedelta

from sqlalchemy.orm import Session

from bot.demo import post
from bot.demo.past import as_of
from bot.demo.trade import ZONE
from loyalty.outreach import deliveries
from loyalty.outreach.campaigns import drafts
from loyalty.outreach.campaigns.drafts import Draft
from loyalty.outreach.deliveries import JOURNEY
from loyalty.outreach.journeys import beginnings, journeys, progress, ready
from store import shops, staff
from store.clock import now
from store.staff import Role
from support.answers import articles, macros
from support.answers.articles import Wording
from support.answers.macros import Action, Do

ARTICLES = (
    (
        "Quán mở cửa mấy giờ?", "Quán mở từ **7 giờ sáng đến 10 giờ tối**, cả cuối tuần. Ngày Tết quán nghỉ mùng 1 và mùng 2.",
        "When are you open?", "From **7 in the morning to 10 in the evening**, weekends too. At Tết we rest on the first two days.",
        ("giờ mở cửa", "mấy giờ đóng cửa", "chủ nhật có bán không"),
    ),
    (
        "Điểm dùng để làm gì?", "Bạn đổi điểm lấy quà ở mục **Đổi quà**, hoặc trả một phần hóa đơn tại quầy: 1 điểm bằng 20 đ.",
        "What are points for?", "Swap them for rewards, or pay a part of your bill at the counter: 1 point is 20 đ.",
        ("đổi điểm thế nào", "1 điểm bằng bao nhiêu tiền"),
    ),
    (
        "Quán có giao hàng không?", "Có, trong vòng 3 km, phí 15.000 đ; đơn từ 200.000 đ quán giao miễn phí. Gọi 028 3822 1986 giúp quán nhé.",
        "Do you deliver?", "Yes, within 3 km for 15,000 đ, free from 200,000 đ on. Please call 028 3822 1986.",
        ("ship không", "phí giao hàng", "giao tận nơi"),
    ),
)  # fmt: skip
MACROS = (
    (
        "Xin lỗi vì đổ vỡ",
        "Dạ quán xin lỗi {name} nhiều ạ. Quán gửi lại món mới ngay hôm nay, {name} cho quán xin địa chỉ nhé.",
        (),
    ),
    ("Hẹn gọi lại", "Dạ {agent} đã ghi lại yêu cầu #{ticket} và sẽ gọi cho {name} trong hôm nay ạ.", ()),
    ("Cảm ơn và khép lại", "Cảm ơn {name} đã nhắn cho quán. Cần gì {name} cứ nhắn tiếp nhé!", (Action(Do.RESOLVE),)),
)
JOURNEYS = ("birthday", "win_back")
DAYS, MORNING = 60, time(6, 30)
"""How many days ago they were switched on, and when."""


def prepare(session: Session, shop_id: int) -> None:
    """Write it all down, as the owner would."""
    owner = staff.get(session, next(one.id for one in staff.every(session) if (Role.OWNER, None) in one.roles))
    for title_vi, body_vi, title_en, body_en, asked in ARTICLES:
        wording = Wording({"vi": title_vi, "en": title_en}, {"vi": body_vi, "en": body_en}, asked)
        articles.create(session, shop_id, wording, owner, publish=True)
    for name, words, actions in MACROS:
        macros.create(session, shop_id, macros.Draft(name, {"vi": words}, actions), owner)
    actor = f"staff:{owner.id}"
    since = datetime.combine(now(session).astimezone(ZONE).date() - timedelta(days=DAYS), MORNING, ZONE)
    for key in JOURNEYS:
        number = as_of(session, since, ready.adopt, shop_id, key, actor).id
        as_of(session, since, journeys.switch, number, shop_id, actor, on=True)
    for day in range(DAYS):
        as_of(session, since + timedelta(days=day, hours=4), _take_on, shops.get(session, shop_id).name)
    drafts.add(
        session, shop_id,
        Draft(
            name="Lâu rồi không gặp", criteria={"field": "days_since_last_order", "op": ">", "value": 60},
            purpose="advertising", hold_out=10,
            messages={
                "vi": "{{ Name }} ơi, lâu rồi không gặp! Tuần này ghé {{ shop }}, quán mời {{ you }} một ly trà đào.",
                "en": "{{ Name }}, we miss you! Come to {{ shop }} this week: a peach tea is on us.",
            },
        ),
        actor,
    )  # fmt: skip


def _take_on(session: Session, shop: str) -> None:
    """A morning of the journeys: who begins, who goes on, what they are told."""
    while beginnings.calendar_due(session):
        pass
    while progress.advance_due(session):
        pass
    for number, purpose in deliveries.waiting(session, JOURNEY):
        words = journeys.messages(journeys.get(session, number))
        due = deliveries.due(session, JOURNEY, number, purpose, 100)
        for one, to in post.reach(session, due, purpose):
            post.bring(session, one, to, words[one.step]["vi"], purpose, shop, one.voucher_id)
