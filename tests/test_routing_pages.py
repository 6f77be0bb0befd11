"""Team and routing over real HTTP: who may set it up, what the desk's switch does, and that the thread says why."""

import asyncio
import json

import pytest

from loyalty.customers import customers
from store import staff
from store.engine import Store
from store.staff import Member, Role
from support import messages, tickets
from support.routing import presence, teams
from support.routing.decision import Status
from tests.test_console import Console, console
from tests.test_desk import Desk, desk

__all__ = ["console", "desk"]


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    return sqlite_url


async def team(store: Store, shop: int, *listed: int) -> tuple[Member, int]:
    """An owner and their team."""
    boss = await store.read(staff.get, await store.write(staff.add, "Chủ", Role.OWNER, None))
    return boss, await store.write(teams.save, boss, shop, None, name="Quầy", everyone=not listed, listed=listed)


async def opened(store: Store, shop: int, text: str = "Ly bị vỡ") -> int:
    lan = await store.write(customers.create, name="Lan")
    joined = await store.write(tickets.open_or_join, lan, shop)
    await store.write(messages.customer_says, joined.ticket.id, text=text)
    return joined.ticket.id


# ── The console ────────────────────────────────────────────────────────────────────────────────────


async def test_a_shop_without_a_team_is_shown_one_button(console: Console) -> None:
    manager = await console.as_(Role.MANAGER, console.shop)
    page = await manager.get("/shop/routing")
    assert page.status == 200
    assert "If you answer alone, you need nothing here." in page.text
    assert "Try it" not in page.text


async def test_a_team_its_lines_and_a_colleagues_work_are_set_up_and_a_trial_says_why(console: Console) -> None:
    minh = await console.hire(Role.AGENT, console.shop, "Minh")
    hoa = await console.hire(Role.AGENT, console.shop, "Hoa")
    manager = await console.as_(Role.MANAGER, console.shop)
    await manager.get("/shop/routing/teams/new")
    wrong = await manager.post("/shop/routing/teams", {"name": "Care", "who": "listed"})
    assert (wrong.status, wrong.error_at("listed")) == (422, "Choose at least one colleague.")
    for name, member in (("Counter", minh), ("Care", hoa)):
        page = await manager.post("/shop/routing/teams", {"name": name, "who": "listed", "member": str(member)})
        assert page.path == "/shop/routing"
    [counter, care] = await console.store.read(teams.of, console.shop)
    await manager.post("/shop/routing/rules", {"topic": "complaint", "team": str(care.id)})
    page = await manager.post("/shop/routing/rules", {"tier": "3", "language": "en", "team": str(care.id)})
    assert "Complaint → Care" in page.text
    assert "English · Vàng and above → Care" in page.text
    assert "Everything else → Counter" in page.text
    wrong = await manager.post(f"/shop/routing/agents/{hoa}", {"cap": "2", "day_0": "8 to late"})
    assert (wrong.status, wrong.error_at("day_0")) == (422, "Write hours as 8:00-12:00, 13:00-17:00.")
    page = await manager.post(
        f"/shop/routing/agents/{hoa}", {"cap": "2", "language": "vi", "day_0": "8-12, 13:00-17:30"}
    )
    assert page.path == "/shop/routing"
    assert 'value="8:00–12:00, 13:00–17:30"' in (await manager.get(f"/shop/routing/agents/{hoa}")).html
    tried = await manager.get("/shop/routing/trial?topic=complaint&language=vi&tier=1")
    assert "It would wait with Care" in tried.text
    assert "Hoa 0/2 is offline" in " ".join(tried.text.split())
    assert (await manager.get("/shop/routing/trial?topic=nonsense&language=vi&tier=1")).status == 404
    await manager.post(f"/shop/routing/teams/{care.id}/remove")
    assert [one.name for one in await console.store.read(teams.of, console.shop)] == [counter.name]


async def test_routing_is_for_who_runs_the_shop(console: Console) -> None:
    _, number = await team(console.store, console.shop)
    agent = await console.as_(Role.AGENT, console.shop)
    for path in ("", "/now", "/trial", "/teams/new", f"/teams/{number}", "/agents/1"):
        assert (await agent.get(f"/shop/routing{path}")).status == 403
    for path in ("/teams", f"/teams/{number}", f"/teams/{number}/remove", "/rules", "/rules/1/up", "/agents/1"):
        assert (await agent.post(f"/shop/routing{path}", {})).status == 403


# ── The desk ───────────────────────────────────────────────────────────────────────────────────────


async def test_the_switch_is_there_where_there_is_a_team(desk: Desk) -> None:
    minh = desk.people["minh"]
    assert (await minh.get("/desk/availability"))[1] == {"on": False}
    await team(desk.store, desk.shop, minh.id, desk.people["hoa"].id)
    status, found, _ = await minh.get("/desk/availability")
    assert (status, found["status"]) == (200, "offline")
    assert (await minh.post("/desk/availability", json={"away": False}))[1]["status"] == "here"
    ticket = await opened(desk.store, desk.shop)
    assert (await desk.store.read(tickets.get, ticket)).assignee_id == minh.id
    assert (await minh.post("/desk/availability", json={"away": True}))[1]["status"] == "away"
    assert (await minh.post("/desk/availability", json={}))[0] == 400
    assert (await minh.post("/desk/availability", csrf=False, json={"away": False}))[0] == 403
    assert (await desk.people["cashier"].get("/desk/availability"))[0] == 403


async def test_an_open_desk_is_a_heartbeat(desk: Desk) -> None:
    minh = desk.people["minh"]
    await team(desk.store, desk.shop, minh.id)
    assert await desk.store.read(presence.status, minh.id) is not Status.HERE
    async with minh.http.get(f"{minh.root}/desk/events?after=1:0"), asyncio.timeout(5):
        while await desk.store.read(presence.status, minh.id) is not Status.HERE:
            await asyncio.sleep(0.01)


async def test_the_thread_says_who_was_weighed_and_a_ticket_goes_to_another_team(desk: Desk) -> None:
    minh, hoa = desk.people["minh"], desk.people["hoa"]
    boss, _ = await team(desk.store, desk.shop, minh.id)
    care = await desk.store.write(teams.save, boss, desk.shop, None, name="Chăm sóc", everyone=False, listed=[hoa.id])
    await minh.post("/desk/availability", json={"away": False})
    ticket = await opened(desk.store, desk.shop)
    _, found, _ = await minh.get(f"/desk/tickets/{ticket}")
    [words] = [line["words"] for line in found["lines"] if line.get("event") == "routed"]
    assert words.split("\n") == ["Giao cho Minh (Quầy)", "Minh: đang giữ 0/10 · nhận được"]
    _, listed, _ = await minh.get(f"/desk/tickets/{ticket}/teams")
    assert [one["name"] for one in listed["teams"]] == ["Quầy", "Chăm sóc"]
    assert (await hoa.post(f"/desk/tickets/{ticket}/team", json={"team": care}))[0] == 409
    assert (await desk.people["stranger"].post(f"/desk/tickets/{ticket}/team", json={"team": care}))[0] == 404
    assert (await minh.post(f"/desk/tickets/{ticket}/team", json={"team": "x"}))[0] == 400
    assert (await minh.post(f"/desk/tickets/{ticket}/team", json={"team": care}))[0] == 200
    _, found, _ = await minh.get(f"/desk/tickets/{ticket}")
    assert found["line"]["facts"]["team"] == "Chăm sóc"
    assert "Đang chờ ở Chăm sóc" in json.dumps(found["lines"], ensure_ascii=False)
