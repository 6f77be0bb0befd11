"""Severity: how grave a complaint is, from S1 to S4, by its words, the order's value, the customer's tier and history.

What went wrong gives the level it begins with. How it is said raises it by one, who says it (a large order, a high tier)
by one more, but no further than S2: S1 is for what endangers people or ends in court. A repeated complaint stands one
level higher than it would, whatever that is.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum, StrEnum

from support.complaints.phrases import Phrase, Word, found, phrases, read


class Level(IntEnum):
    """1 is the worst."""

    S1 = 1
    S2 = 2
    S3 = 3
    S4 = 4


class Why(StrEnum):
    """What raised the level: what went wrong, how it was said, who said it."""

    HEALTH = "health"
    UNSAFE = "unsafe"
    HARM = "harm"
    LAW = "law"
    DATA = "data"
    MONEY = "money"
    CONDUCT = "conduct"
    HYGIENE = "hygiene"
    PUBLIC = "public"
    POINTS = "points"
    FAULT = "fault"
    LATE = "late"
    PROMISE = "promise"
    TONE = "tone"
    LEAVING = "leaving"
    ORDER = "order"
    TIER = "tier"
    REPEAT = "repeat"
    RATING = "rating"
    STILL = "still"
    """The customer said after our answer that it is still not right."""


@dataclass(frozen=True, slots=True)
class Fact:
    """A reason for the level: the customer's words, or a number (đồng, stars, days, tickets), or a tier's name."""

    why: Why
    said: str


@dataclass(frozen=True, slots=True)
class Case:
    """What is known: `text` is all the customer wrote, `order_value` in đồng, `rank` counts tiers from 0, the lowest;
    `repeats` is the number of an earlier complaint that is not long ago.
    """

    text: str
    order_value: int = 0
    tier: str = ""
    rank: int = 0
    repeats: int | None = None
    big_order: int = 500_000
    high_rank: int = 2


@dataclass(frozen=True, slots=True)
class Judgement:
    level: Level
    facts: tuple[Fact, ...]


WRONG: tuple[tuple[Why, Level, str], ...] = (
    (Why.HEALTH, Level.S1, """
        ngộ độc, đau bụng, tiêu chảy, =nôn, nôn ói/mửa, bị nôn, =ói, dị ứng, nhập viện, cấp cứu, bệnh viện, bị bỏng, =bỏng,
        khó thở, nổi mẩn, nổi mề đay, bị thương, gãy răng, mẻ răng, chảy máu, bị cháy, cháy nổ, phát nổ, bị nổ, chập điện,
        giật điện, food poisoning, poisoned, made .. sick, got sick, allergic/allergy, hospital, diarrhea/diarrhoea,
        vomited/vomiting, burned/burnt/burns, injured/injury, bleeding, caught fire, exploded, electric shock"""),
    (Why.UNSAFE, Level.S1, """
        thủy tinh, =gián, con gián, =giòi, con giòi, kim loại, mảnh sắt/nhựa/kính, dị vật, =mốc, bị mốc, nấm mốc, ôi thiu,
        bị thiu, =thiu, hết hạn sử dụng, quá hạn, hết date, hết hạn dùng, glass in, broken glass, cockroach/cockroaches,
        maggot/maggots, metal in, mould/mold/mouldy/moldy, rotten/spoiled, expired food/product/milk/cake, expired"""),
    (Why.HARM, Level.S1, """
        quấy rối, sàm sỡ, hành hung, bị đánh, đánh tôi/khách/mình/em, đe dọa, dọa đánh, kỳ thị, phân biệt đối xử,
        harassed/harassment, assaulted, threatened, racist/racism, discriminated/discrimination, hit me"""),
    (Why.LAW, Level.S1, """
        công an, luật sư, khởi kiện, kiện ra, =kiện quán/shop/tiệm, kiện cửa hàng, sẽ kiện, đi kiện, đâm đơn, tòa án, quản lý thị trường, bảo vệ người tiêu dùng, sở y tế,
        an toàn thực phẩm, lawyer/lawyers, sue/sueing/suing, police, court, consumer protection, legal action"""),
    (Why.DATA, Level.S1, """
        lộ thông tin, lộ số, lộ dữ liệu, đem bán thông tin, rò rỉ, data leak/breach, leaked, sold my data/number, stolen data"""),
    (Why.MONEY, Level.S2, """
        trừ tiền hai/2 lần, trừ hai/2 lần, trừ tiền .. lần, trừ nhầm, tính tiền hai/2 lần, tính dư, tính sai/nhầm tiền,
        tính nhầm/sai, tính lố, thu thừa, mất tiền, lừa đảo, =lừa, bị lừa, chiếm đoạt, ăn chặn, không/chưa hoàn tiền,
        không/chưa .. hoàn tiền, không trả tiền, hàng giả, hàng nhái, hàng fake, ăn gian, tính lộn, bị trừ tiền, trừ tiền tôi/tui/em/mình, tiền trừ rồi,
        charged twice, charged .. twice, double charged, overcharged, scam/scammed/scammers, fraud, fake product/item,
        counterfeit, no refund, stole my"""),
    (Why.CONDUCT, Level.S2, """
        thái độ, =chửi, bị chửi, chửi khách/tôi/em/mình, =quát, quát tháo, quát khách/vào, =mắng, bị mắng, mắng khách,
        hỗn láo, =hỗn, vô lễ, coi thường, khinh thường, khinh khách, bất lịch sự, thô lỗ, lồi lõm, cáu gắt, cúp máy, mất dạy, khó nghe, phục vụ kém,
        rude/rudely, yelled/yelling, insulted/insulting, shouted, impolite, hung up, attitude, disrespectful"""),
    (Why.HYGIENE, Level.S2, """
        =tóc, sợi tóc, có tóc, =ruồi, con ruồi, con kiến, con sâu, =sâu, mất vệ sinh, ly/cốc/bàn/muỗng bẩn, =bẩn, dơ bẩn,
        dơ quá, mùi lạ, mùi hôi, hair in, fly in, insect/insects, bug in, dirty/filthy, unhygienic, smells bad/weird"""),
    (Why.PUBLIC, Level.S2, """
        bóc phốt, đăng facebook/tiktok/mạng/fb/threads, đăng lên, đưa lên mạng/facebook/fb/tiktok, lên phốt, báo chí,
        phóng viên, review một/1 sao, đánh giá một/1 sao, 1 sao trên, post .. online, post .. facebook/tiktok, go viral,
        one star, 1 star, bad review, journalist, newspaper"""),
    (Why.POINTS, Level.S3, """
        mất điểm, mất hết/sạch điểm, mất .. điểm, trừ .. điểm, điểm .. bị trừ, điểm .. mất, điểm .. đâu, điểm .. tụt, thiếu điểm, điểm sai,
        nuốt điểm, chưa .. điểm, quên cộng điểm, cộng thiếu/sai/lộn, hụt .. điểm, điểm .. không, không .. điểm, hạng .. tụt/rớt,
        voucher .. không, mã .. không, voucher bị/báo, mã .. sai, không .. voucher, từ chối .. voucher, voucher .. từ chối,
        lost my points, points .. disappeared, points .. gone, points vanished/missing, points .. wrong/incorrect, no points, not .. points,
        points not, points .. deducted, deducted, balance .. wrong/lower/dropped, refused/rejected my voucher/coupon, coupon .. rejected/not,
        voucher .. not"""),
    (Why.PROMISE, Level.S3, """
        hứa .. không, hứa .. chưa, thất hứa, hứa mà, hứa .. mãi, nói một đằng, promised .. not, promised .. never, broken promise"""),
    (Why.FAULT, Level.S3, """
        =vỡ, bị vỡ, vỡ nát/hết/rồi/mất, bị bể, =bể, =hỏng, bị hỏng, hỏng rồi, =hư, bị hư, hư rồi, =lỗi, bị lỗi, sản phẩm lỗi, hàng lỗi,
        =rách, bị rách, =móp, bị móp, méo, giao sai/nhầm/thiếu, =sai, =nhầm, bị thiếu, =thiếu mất, giao .. thiếu, còn thiếu 1/một, làm sai/nhầm, thiếu món/ly/hàng/phần/đồ/cái, sai món/size/màu/hàng/địa chỉ, nhầm món/hàng/ly/đơn,
        không đúng, không giống, không dùng được, không sử dụng được, không hoạt động, không quét được, =nguội, nguội ngắt/lạnh, =dở, quá dở, dở quá/tệ, bị đổ, đổ hết, tràn ra, đổ ra,
        chảy hết, hàng cũ, đã qua sử dụng, bị rò, =rò, đứt quai, bị đứt, bong keo, bị sống, bể nát, không vào được, bị đơ, kém chất lượng, chất lượng kém,
        broken/broke, damaged, defective, wrong item/order/drink/size/dish/address/cake, wrong, missing, cold food/coffee, stone cold, was cold, spilled/spilt,
        leaking/leaked cup, not working/work, poor quality, bad quality, stale, tasteless, torn, used item"""),
    (Why.LATE, Level.S3, """
        =trễ, giao trễ, bị trễ, trễ hẹn, trễ quá, trễ cả, đến trễ, =muộn, giao muộn, =chậm, giao chậm, quá chậm, chậm quá, chậm trễ, phục vụ chậm,
        chờ .. lâu, đợi .. lâu, chờ .. tiếng/phút/ngày/tuần, đợi .. tiếng/phút/ngày/tuần, chờ mãi, đợi mãi, chờ hoài, đợi hoài, lâu quá, quá lâu,
        chưa nhận được, chưa giao, chưa có hàng, không thấy giao, không ai trả lời, không trả lời, không phản hồi, chưa tới/đến, chưa thấy .. giao, nghe máy, đợi/chờ cả buổi, tiếng rồi mà,
        late, delayed/delay, waited/waiting, not arrived, never arrived/came, has not come, no reply, no answer, nobody answered/answers, no one answers/answered, never received, not received, so slow, too slow"""),
)  # fmt: skip
"""What went wrong, the gravest first."""
TONE = """
    thất vọng, =tức, tức giận, tức quá, bực mình, bực bội, =bực, =giận, quá đáng, không chấp nhận được, không thể chấp nhận,
    vô trách nhiệm, tệ hại, quá tệ, =tệ, tệ quá, kinh khủng, bức xúc, làm ăn kiểu gì, làm ăn gì kỳ, hết sức chịu đựng, ức chế,
    lần thứ hai/ba/2/3, lần nào cũng, disappointed/disappointing, angry, furious, unacceptable, terrible/horrible, awful, disgusting, worst, ridiculous,
    outrageous, fed up, second/third time, every time
"""  # fmt: skip
LEAVING = """
    không .. quay lại, không .. trở lại, không mua nữa, không .. ghé nữa, không .. nữa đâu, bỏ luôn, tẩy chay, cạch mặt, =cạch, hủy thẻ, xóa thẻ, khỏi quay lại,
    sang quán khác, qua quán khác, mua chỗ khác, never .. again, never .. back, not .. come back, not .. coming back, last time, boycott, cancel my membership, lost a customer
"""  # fmt: skip

_WRONG: tuple[tuple[Why, Level, list[Phrase]], ...] = tuple((why, level, phrases(said)) for why, level, said in WRONG)
_TONE, _LEAVING = phrases(TONE), phrases(LEAVING)


def judge(case: Case) -> Judgement:
    """The level of a complaint and what raised it, the reasons in the order in which they count."""
    words = read(case.text)
    level, facts = _gravest(words)
    level, facts = _said(words, level, facts)
    standing = _standing(case)
    if standing:
        level, facts = _raised(level, Level.S2), [*facts, *standing]
    if case.repeats is not None:
        level, facts = _raised(level, Level.S1), [*facts, Fact(Why.REPEAT, str(case.repeats))]
    return Judgement(level, tuple(facts))


def alarming(text: str) -> bool:
    """Whether words alone make something a complaint of S1 or S2, whatever it was opened as."""
    return _gravest(read(text))[0] <= Level.S2


def higher(level: Level | int) -> Level:
    """One level graver; S1 stays S1."""
    return Level(max(Level.S1, level - 1))


def _gravest(words: Sequence[Word]) -> tuple[Level, list[Fact]]:
    level, facts = Level.S4, list[Fact]()
    for why, its, wanted in _WRONG:
        said = found(words, wanted)
        if said is not None:
            level = min(level, its)
            facts.append(Fact(why, said))
    return level, facts


def _said(words: Sequence[Word], level: Level, facts: list[Fact]) -> tuple[Level, list[Fact]]:
    tone = found(words, _TONE)
    leaving = found(words, _LEAVING, deniable=False)
    more = [Fact(why, said) for why, said in ((Why.TONE, tone), (Why.LEAVING, leaving)) if said is not None]
    return (_raised(level, Level.S2), [*facts, *more]) if more else (level, facts)


def _standing(case: Case) -> list[Fact]:
    facts = []
    if case.order_value >= case.big_order:
        facts.append(Fact(Why.ORDER, str(case.order_value)))
    if case.rank >= case.high_rank:
        facts.append(Fact(Why.TIER, case.tier))
    return facts


def _raised(level: Level, most: Level) -> Level:
    return level if level <= most else higher(level)
