"""Replies: what a customer's free words say to our questions: that all is well or not, and what would make it good."""

from support.complaints import severity
from support.complaints.complaints import Remedy
from support.complaints.phrases import found, phrases, read
from support.complaints.severity import Case, Level

WORDS_MAX = 25
"""A longer text tells a story of its own; no answer is read out of it."""

_BAD = phrases("""
    chưa, vẫn chưa, vẫn còn, vẫn bị, vẫn vậy, không ổn, không được, không tốt, không hài lòng, không ok, không thấy, còn lâu, chẳng ổn,
    no, nope, not yet, not really, not ok/okay/good/fine/happy/solved/fixed, still
""")
_GOOD = phrases("""
    ok, oke, okie, oki, okay, ổn, ổn rồi, được rồi, =được, tốt, tốt rồi, xong rồi, xong, đã nhận, nhận được rồi, hài lòng, hết rồi, rồi, cảm ơn, cám ơn, =ừ, dạ,
    yes, yep, good, fine, great, solved, fixed, all good, thanks, thank you, perfect, happy
""")
_REMEDIES = tuple((remedy, phrases(said)) for remedy, said in (
    (Remedy.REFUND, """
        hoàn tiền, hoàn lại tiền, trả lại tiền, trả tiền lại, hoàn lại, lấy lại tiền, refund/refunded, money back"""),
    (Remedy.REPLACE, """
        đổi cái/ly/món/phần/hàng khác, đổi lại, đổi hàng, đổi cho, làm lại, giao lại, gửi lại, đổi mới,
        replace/replacement, exchange, send another, another one, new one, remake"""),
    (Remedy.GOODWILL, "đền bù, bồi thường, =đền, bù điểm/voucher, tặng voucher, compensation/compensate"),
    (Remedy.APOLOGY, "xin lỗi, giải thích, apology/apologize/apologise, explain/explanation"),
))  # fmt: skip


def well(text: str) -> bool | None:
    """Whether a reply says that all is well; None where it says neither."""
    words = read(text)
    if not words or len(words) > WORDS_MAX:
        return None
    if found(words, _BAD, deniable=False) or severity.judge(Case(text)).level < Level.S4:
        return False
    return True if found(words, _GOOD) else None


def remedy(text: str) -> Remedy | None:
    """What somebody asks for to make it good; None where they don't say."""
    words = read(text)
    return next((one for one, wanted in _REMEDIES if found(words, wanted)), None)
