"""Privacy on the console's pages: who may, what is refused, and that every look at a customer is in the audit once."""

import json
import zipfile
from io import BytesIO

import pytest

from loyalty.customers import customers
from loyalty.outreach import consents
from loyalty.points import ledger
from store.errors import NotFoundError
from store.outbox import Purpose
from store.staff import Role
from support import messages, tickets
from support.duties import erasures, inactive, retention
from tests.test_console import LAN, Console, console, database_url
from tests.test_desk import Desk, asks, desk

__all__ = ["console", "database_url", "desk"]


async def lan(console: Console) -> int:
    state = await console.order("A1")
    assert state.customer_id is not None
    return state.customer_id


async def test_consents_are_written_down_with_how_they_were_given(console: Console) -> None:
    number = await lan(console)
    manager = await console.as_(Role.MANAGER)
    home = f"/shop/customers/{number}/privacy"
    page = await manager.get(home)
    assert "Type the card" in page.text
    refused = await manager.post(home + "/consents", {"purpose": "advertising", "agree": "yes", "way": " "})
    assert refused.status == 422
    await manager.post(home + "/consents", {"purpose": "advertising", "agree": "yes", "way": "on the phone"})
    stands = await console.store.read(consents.allows, [number], Purpose.ADVERTISING)
    assert stands[number].general
    [row] = await console.rows("consent_recorded")
    assert (row.data["before"], row.data["after"], row.data["purpose"]) == (False, True, "advertising")
    assert (await manager.post(home + "/consents", {"purpose": "service", "agree": "no", "way": "x"})).status == 409
    assert len(await console.rows("customer_seen")) == 1


async def test_a_copy_is_handed_out_and_noted(console: Console) -> None:
    number = await lan(console)
    manager = await console.as_(Role.MANAGER)
    home = f"/shop/customers/{number}/privacy"
    await manager.get(home)
    async with manager.http.post(f"{manager.root}{home}/copy.zip", data={"csrf": manager.csrf}) as answer:
        archive = zipfile.ZipFile(BytesIO(await answer.read()))
    assert json.loads(archive.read("data.json"))["customer"]["phone"] == LAN
    assert "Nguyễn Thị Lan" in archive.read("index.html").decode()
    assert len(await console.rows("customer_copied")) == 1


async def test_erasing_wants_the_card_s_code_and_keeps_the_books(console: Console) -> None:
    number = await lan(console)
    manager = await console.as_(Role.MANAGER)
    home = f"/shop/customers/{number}/privacy"
    await manager.get(home)
    refused = await manager.post(home + "/erase", {"code": "nope", "now": "1"})
    assert refused.status == 422
    code = (await console.store.read(customers.get, number)).code
    await manager.post(home + "/erase", {"code": code})
    assert await console.store.read(erasures.of_customer, number)
    await manager.post(home + "/stay")
    assert await console.store.read(erasures.of_customer, number) is None
    await manager.post(home + "/erase", {"code": code.lower(), "now": "1"})
    assert (await console.store.read(customers.get, number)).name == ""
    assert await console.store.read(ledger.check) == []
    [row] = await console.rows("customer.erase")
    assert row.actor.startswith("staff:")


async def test_who_waits_stands_on_the_list_and_is_answered(console: Console) -> None:
    number = await lan(console)
    ticket = (await console.store.write(tickets.open_or_join, number, console.shop)).ticket.id
    await console.store.write(messages.customer_says, ticket, text="Ly vỡ")
    asked = await console.store.write(erasures.ask, number, console.shop)
    manager = await console.as_(Role.MANAGER)
    assert "1 customer asks to be forgotten" in (await manager.get("/shop")).text
    page = await manager.get("/shop/privacy")
    assert f"#{ticket}" in page.text
    await manager.post(f"/shop/privacy/{asked.id}/answer")
    assert (await console.store.read(erasures.get, asked.id)).answered_at is not None
    await manager.post(f"/shop/privacy/{asked.id}/erase")
    assert (await console.store.read(erasures.get, asked.id)).state == erasures.WAITING
    await manager.post(f"/shop/privacy/{asked.id}/erase", {"sure": "on"})
    assert (await console.store.read(erasures.get, asked.id)).state == erasures.DONE
    assert (await manager.post(f"/shop/privacy/{asked.id}/erase", {"sure": "on"})).status == 409


async def test_only_an_owner_sets_how_long_and_no_agent_or_cashier_comes_in(console: Console) -> None:
    number = await lan(console)
    owner, manager = await console.as_(Role.OWNER), await console.as_(Role.MANAGER)
    kinds = dict.fromkeys(retention.DEFAULTS, "24")
    assert (await owner.post("/shop/privacy/periods", kinds | {"words": "0"})).status == 422
    await owner.post("/shop/privacy/periods", kinds)
    assert set((await console.store.read(retention.periods)).values()) == {24}
    assert (await manager.post("/shop/privacy/periods", kinds)).status == 403
    # Whom a period for inactive customers takes is counted before it is on.
    page = await owner.post("/shop/privacy/inactive", {"inactive": "24"})
    assert "0 customers have given no sign" in page.text
    assert "disabled" not in page.html
    assert "disabled" in (await manager.get("/shop/privacy")).html
    assert await console.store.read(inactive.months) == 0
    await owner.post("/shop/privacy/inactive", {"inactive": "24", "sure": "on"})
    assert await console.store.read(inactive.months) == 24
    assert (await owner.post("/shop/privacy/inactive", {"inactive": "3"})).error_at("inactive")
    for role in (Role.AGENT, Role.CASHIER):
        stranger = await console.as_(role)
        for path in ("/shop/privacy", f"/shop/customers/{number}/privacy"):
            assert (await stranger.get(path)).status in {403, 404}


async def test_the_desk_s_look_at_a_customer_is_noted_once(desk: Desk) -> None:
    ticket, _ = await asks(desk, "Ly vỡ")
    for _ in range(2):
        assert (await desk.people["minh"].get(f"/desk/tickets/{ticket}/customer"))[0] == 200

    def look(session: object) -> int:
        import sqlalchemy as sa

        from store.audit import AuditRow

        return session.execute(sa.select(sa.func.count()).where(AuditRow.action == "customer_seen")).scalar_one()  # type: ignore[attr-defined,no-any-return]

    assert await desk.store.read(look) == 1


async def test_an_unknown_customer_has_no_page(console: Console) -> None:
    manager = await console.as_(Role.MANAGER)
    assert (await manager.get("/shop/customers/9999/privacy")).status == 404
    with pytest.raises(NotFoundError):
        await console.store.read(erasures.get, 9)
