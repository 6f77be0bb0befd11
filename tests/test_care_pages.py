"""Care on the pages: plans and incidents in the console, what is to be done at the desk."""

from datetime import timedelta

import aiohttp

from store import staff
from store.staff import Role
from support import tickets
from support.care import incidents, plans
from support.care.incidents import Reach
from support.duties import erasures
from tests.test_console import AT, LAN, Console, console, database_url
from tests.test_desk import Desk, asks, desk

__all__ = ["console", "database_url", "desk"]


async def test_a_plan_is_made_filled_and_worked_off(console: Console) -> None:
    await console.order("A1")
    manager = await console.as_(Role.MANAGER)
    me = (await console.store.read(staff.every))[0].id
    form = {"name": "Call our regulars", "way": "call", "every_days": "30", "owner": str(me)}
    assert (await manager.post("/shop/care", form | {"every_days": "0"})).status == 422
    assert "Call our regulars" in (await manager.post("/shop/care", form)).text
    [plan] = await console.store.read(plans.of_shop, console.shop)
    people = f"/shop/care/{plan.id}/people"
    refused = await manager.post(people, {"first": "2026-11-20", "phones": "0903 000 000"})
    assert refused.status == 422
    page = await manager.post(people, {"first": "2026-11-20", "phones": LAN})
    assert "Nguyễn Thị Lan" in page.text
    assert "1 customer is to be called or visited" in (await manager.get("/shop")).text
    [task] = await console.store.read(plans.due, [console.shop])
    assert (await manager.post(f"/shop/care/tasks/{task.id}/done", {"learnt": ""})).status == 422
    page = await manager.post(f"/shop/care/tasks/{task.id}/done", {"learnt": "Thích trà sen"})
    assert "Next time" in page.text
    assert (await manager.post(f"/shop/care/tasks/{task.id}/skip")).status == 409
    await manager.post(f"/shop/care/{plan.id}", form)
    assert not (await console.store.read(plans.of_shop, console.shop))[0].active
    assert (await (await console.as_(Role.AGENT)).get("/shop/care")).status in {403, 404}


async def test_an_incident_shows_its_reach_and_is_closed(console: Console) -> None:
    await console.order("A1")
    manager = await console.as_(Role.MANAGER)
    day = AT.date().isoformat()
    reach = await manager.get(f"/shop/incidents/preview?first={day}&last={day}")
    assert "1 customer is touched" in reach.text
    assert "There is no request #7" in (await manager.get("/shop/incidents/preview?tickets=7")).text
    form = {"title": "Mất điện", "first": day, "last": day, "words": "Quán mất điện ạ."}
    assert (await manager.post("/shop/incidents", form | {"words": " "})).status == 422
    assert (await manager.post("/shop/incidents", {**form, "first": "", "last": ""})).status == 422
    page = await manager.post("/shop/incidents", form)
    assert "1 customer is told now" in page.text
    [one] = await console.store.read(incidents.of_shop, console.shop)
    await manager.post(f"/shop/incidents/{one.id}/close", {"over": "Có điện rồi ạ."})
    assert (await console.store.read(incidents.get, one.id, console.shop)).closed_at is not None
    assert (await manager.post(f"/shop/incidents/{one.id}/close", {"over": "x"})).status == 409


async def test_the_desk_shows_who_is_to_be_met_and_what_is_behind_a_ticket(desk: Desk) -> None:
    ticket, _ = await asks(desk, "Ly vỡ")
    customer = (await desk.store.read(tickets.get, ticket)).customer_id
    minh = await desk.store.read(staff.get, desk.people["minh"].id)
    shop = minh.roles[0][1]
    assert shop is not None
    boss = await desk.store.read(staff.get, await desk.store.write(staff.add, "Hạnh", Role.MANAGER, shop))
    base = f"/desk/tickets/{ticket}/care"
    _, empty, _ = await desk.people["minh"].get(base)
    assert empty.strip() == b""
    plan = await desk.store.write(plans.add, boss, shop, "Gọi khách quen", "call", 30, boss.id)
    now = desk.store.clock.now()
    await desk.store.write(plans.put_in, plan, boss, shop, [customer], now - timedelta(hours=1))
    await desk.store.write(incidents.begin, boss, shop, "Mất điện", "Mất điện ạ", Reach(tickets=(ticket,)))
    await desk.store.write(erasures.ask, customer, shop)
    _, shown, _ = await desk.people["minh"].get(base)
    assert "Gọi khách quen" in shown.decode()
    assert "Mất điện" in shown.decode()
    _, sheet, _ = await desk.people["minh"].get("/desk/care")
    [task] = await desk.store.read(plans.due, [shop])
    assert f"/desk/care/{task.id}/done" in sheet.decode()
    path = f"/desk/care/{task.id}/done"
    status, told = await desk.people["minh"].post(path, data=aiohttp.FormData({"learnt": ""}))
    assert (status, told["field"]) == (422, "learnt")
    assert (await desk.people["minh"].post(path, data=aiohttp.FormData({"learnt": "Thích trà"})))[0] == 200
    assert (await desk.people["minh"].post(path, data=aiohttp.FormData({"learnt": "Hai"})))[0] == 409
    _, listed, _ = await desk.people["minh"].get(f"/desk/tickets/{ticket}")
    assert "forget_by" in listed["line"]["facts"]
