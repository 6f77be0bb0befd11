"""Privacy in the chat: consents by a tap, a copy as a file, and being forgotten by two taps."""

import pytest

from loyalty.outreach import consents
from store.outbox import Purpose
from support.duties import erasures
from tests.chatting import customer_of, say, settled_person, tap
from tests.running import Running
from tests.test_chat_complaints import clock, opened, shop

__all__ = ["clock", "opened", "shop"]
pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_consents_a_copy_and_being_forgotten(shop: Running) -> None:
    lan = await settled_person(shop)
    customer = await customer_of(shop, lan)
    await say(shop, lan, "/privacy")
    await tap(shop, lan, "Dừng tin chăm sóc")
    stands = await shop.store.read(consents.allows, [customer.id], Purpose.CARE)
    assert not stands[customer.id].general
    await tap(shop, lan, "Bản sao dữ liệu của tôi")
    assert any("document" in one for one in lan.inbox)
    await say(shop, lan, "/privacy")
    await tap(shop, lan, "Xóa dữ liệu của tôi")
    assert await shop.store.read(erasures.of_customer, customer.id) is None
    await tap(shop, lan, "Có, xóa hết")
    assert await shop.store.read(erasures.of_customer, customer.id) is not None
    await tap(shop, lan, "Đừng xóa, tôi ở lại")
    assert await shop.store.read(erasures.of_customer, customer.id) is None
