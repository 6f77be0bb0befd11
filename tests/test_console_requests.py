"""The console's page of requests: topics and fields of a shop's own, and how long a solved request can be opened again."""

import pytest

from loyalty.customers import customers
from store import staff
from store.staff import Role
from support import desks, fields, tags, tickets, topics, views
from support.answers import macros
from support.answers.macros import Action, Do, Draft
from support.views import Filters
from tests.test_console import Console, console

__all__ = ["console"]


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    return sqlite_url


async def test_topics_fields_and_days_are_set_and_bad_input_is_told(console: Console) -> None:
    manager = await console.as_(Role.MANAGER)
    page = await manager.get("/shop/requests")
    assert page.status == 200
    assert "Can be opened again for" in page.text
    shop = console.shop
    await manager.post("/shop/requests", {"reopen_days": "14"})
    assert (await console.store.read(desks.of, shop)).reopen_days == 14
    for bad in ("91", "nhiều", ""):
        refused = await manager.post("/shop/requests", {"reopen_days": bad})
        assert refused.status == 422
        assert "Between 0 and 90 days." in refused.text
    await manager.post("/shop/requests/topics", {"name": "Giao hàng", "english": "Delivery"})
    [topic] = await console.store.read(topics.own, shop)
    assert (topic.name, topic.english, topic.offered) == ("Giao hàng", "Delivery", True)
    refused = await manager.post("/shop/requests/topics", {"name": "giao hang"})
    assert refused.status == 422
    assert "There is one of this name already." in refused.text
    await manager.post(f"/shop/requests/topics/{topic.id}", {"name": "Giao hàng", "english": ""})
    assert not (await console.store.read(topics.own, shop))[0].offered
    await manager.post("/shop/requests/fields", {"name": "Cỡ ly", "kind": "choice", "choices": "Nhỏ\nLớn\n"})
    [field] = await console.store.read(fields.of_shop, shop)
    assert (field.name, field.choices) == ("Cỡ ly", ("Nhỏ", "Lớn"))
    refused = await manager.post("/shop/requests/fields", {"name": "Khác", "kind": "choice", "choices": "một"})
    assert (refused.status, "Write 2 to 30 choices" in refused.text) == (422, True)
    await manager.post(f"/shop/requests/fields/{field.id}", {"name": "Cỡ", "choices": "Nhỏ\nVừa\nLớn", "asked": "on"})
    assert (await console.store.read(fields.of_shop, shop))[0].choices == ("Nhỏ", "Vừa", "Lớn")
    [lead] = [await console.store.read(staff.get, await console.hire(Role.SUPERVISOR, shop))]
    lan = await console.store.write(customers.create, name="Lan", home_shop_id=shop)
    ticket = (await console.store.write(tickets.open_or_join, lan, shop)).ticket.id
    other = (await console.store.write(tickets.begin, lan, shop)).id
    for number, name in ((ticket, "vỡ ly"), (ticket, "ly vỡ"), (other, "ly vỡ"), (other, "vip")):
        await console.store.write(tags.put, number, lead, name)
    macro = Draft("Vỡ", {"vi": "Dạ"}, (Action(Do.TAG, "Vỡ ly"), Action(Do.PRIORITY, "high")))
    await console.store.write(macros.create, shop, macro, lead)
    await console.store.write(views.add, lead, "Vỡ", Filters(tags=("vỡ ly", "vip")))
    by_name = {one.name: one.id for one in await console.store.read(tags.every, [shop])}
    refused = await manager.post(f"/shop/requests/tags/{by_name['vip']}", {"tag": " "})
    assert refused.error_at("tag") == "Give it a name of up to 40 letters."
    # A tag called as another one is that one from now on: on tickets, in macros and in views.
    await manager.post(f"/shop/requests/tags/{by_name['vỡ ly']}", {"tag": "LY VỠ"})
    assert await console.store.read(tags.of, [ticket, other]) == {ticket: ["ly vỡ"], other: ["ly vỡ", "vip"]}
    await manager.post(f"/shop/requests/tags/{by_name['ly vỡ']}", {"tag": "đổ vỡ"})
    [macro] = await console.store.read(macros.visible, shop, lead)
    assert [one.value for one in macro.actions] == ["đổ vỡ", "high"]
    assert (await console.store.read(views.listed, lead))[0].filters.tags == ("vip", "đổ vỡ")
    await manager.post(f"/shop/requests/tags/{by_name['ly vỡ']}/remove")
    assert await console.store.read(tags.of, [ticket, other]) == {other: ["vip"]}
    assert (await console.store.read(macros.visible, shop, lead))[0].actions == (Action(Do.PRIORITY, "high"),)
    assert (await manager.post(f"/shop/requests/tags/{by_name['vỡ ly']}/remove")).status == 404
    agent = await console.as_(Role.AGENT)
    assert (await agent.get("/shop/requests")).status in {403, 404}
