"""The console: where an owner or manager sees to the shop. One file a noun beside this one."""

from aiohttp import web

from handlers.web.shop import (
    amends,
    audits,
    codes,
    importing,
    offer_acts,
    offer_page,
    offers,
    people,
    person,
    plan,
    points,
    referrals,
    settings,
    setup,
    share,
    shifts,
    team,
    tier_rules,
    tiers,
    today,
    webhooks,
)
from handlers.web.shop.answers.routes import add_answers
from handlers.web.shop.campaigns.routes import add_campaigns
from handlers.web.shop.care.routes import add_care
from handlers.web.shop.deadlines.routes import add_deadlines
from handlers.web.shop.feedback.routes import add_feedback
from handlers.web.shop.frame import console
from handlers.web.shop.insights.page import add_insights
from handlers.web.shop.journeys.routes import add_journeys
from handlers.web.shop.privacy.routes import add_privacy
from handlers.web.shop.recognition.routes import add_recognition
from handlers.web.shop.reports.routes import add_reports
from handlers.web.shop.requests import add_requests
from handlers.web.shop.routing.routes import add_routing
from handlers.web.shop.segments.routes import add_segments
from store.staff import Right

ID = r"{id:\d{1,15}}"


def setup_shop(app: web.Application) -> None:
    add, shop, owner = app.router, console(), console(Right.STAFF)
    add_deadlines(app)
    add_recognition(app)
    add_requests(app)
    add_feedback(app)
    add_reports(app)
    add_insights(app)
    add_answers(app)
    add_journeys(app)
    add_campaigns(app)
    add_routing(app)
    add_privacy(app)
    add_care(app)
    add_segments(app)
    add.add_get("/shop", shop(today.page))
    add.add_get("/shop/customers", shop(people.page))
    add.add_get(f"/shop/customers/{ID}", shop(person.person))
    add.add_get(f"/shop/customers/{ID}/story", shop(person.told))
    add.add_post(f"/shop/customers/{ID}/points", shop(person.adjust))
    add.add_post(f"/shop/customers/{ID}/phone", shop(amends.phone))
    add.add_post(f"/shop/customers/{ID}/orders", shop(amends.attach))
    add.add_post(f"/shop/customers/{ID}/orders/new", shop(amends.enter))
    add.add_get(f"/shop/customers/{ID}/merge", shop(amends.merging))
    add.add_post(f"/shop/customers/{ID}/merge", shop(amends.merge))
    add.add_get("/shop/orders", shop(people.orders))
    add.add_get("/shop/shifts", shop(shifts.page))
    add.add_get("/shop/offers", shop(offers.page))
    add.add_post("/shop/offers", shop(offer_page.create))
    add.add_get("/shop/offers/new", shop(offer_page.new))
    add.add_get("/shop/offers/preview", shop(offer_page.preview))
    add.add_get(f"/shop/offers/{ID}", shop(offer_page.edit))
    add.add_post(f"/shop/offers/{ID}", shop(offer_page.change))
    add.add_post(f"/shop/offers/{ID}/give", shop(offer_acts.give))
    add.add_post(f"/shop/offers/{ID}/code", shop(offer_acts.code))
    add.add_post(f"/shop/offers/{ID}/image", shop(offer_acts.image))
    add.add_get(f"/shop/offers/{ID}/image", shop(offer_acts.shown_image))
    add.add_get(f"/shop/offers/{ID}/codes", shop(codes.page))
    add.add_post(f"/shop/offers/{ID}/codes", shop(codes.begin))
    add.add_post(f"/shop/offers/{ID}/codes/list", shop(codes.upload))
    add.add_get(f"/shop/offers/{ID}/codes/progress", shop(codes.progress))
    add.add_post(f"/shop/codes/{ID}/{{action:stop|resume}}", shop(codes.act))
    add.add_get(f"/shop/codes/{ID}.csv", shop(codes.export))
    add.add_get(f"/shop/codes/{ID}/rejected.csv", shop(codes.rejected))
    add.add_post(f"/shop/offers/{ID}/{{action:hide|show|end|reopen|link}}", shop(offer_acts.act))
    add.add_get("/shop/share", shop(share.page))
    add.add_get("/shop/share/{paper:a4|a6}.{kind:pdf|png}", shop(share.sheet))
    add.add_get("/shop/tiers", shop(tiers.page))
    add.add_get("/shop/tiers/rules", shop(tier_rules.page))
    add.add_post("/shop/tiers/rules", shop(tier_rules.save))
    add.add_post("/shop/tiers/rules/preview", shop(tier_rules.preview))
    add.add_get(f"/shop/tiers/{ID}", shop(tiers.edit))
    add.add_post(f"/shop/tiers/{ID}", shop(tiers.save))
    add.add_get(f"/shop/tiers/{ID}/preview", shop(tiers.preview))
    add.add_get(f"/shop/tiers/{ID}/card.png", shop(tiers.card))
    add.add_post(f"/shop/tiers/{ID}/picture", shop(tiers.upload))
    add.add_get("/shop/points", shop(points.page))
    add.add_post("/shop/points/top-up", owner(points.top_up))
    add.add_post(f"/shop/points/{ID}/{{action:approve|refuse}}", shop(points.decide))
    add.add_get("/shop/points/settlement.{kind:csv|xlsx}", shop(points.export))
    add.add_get("/shop/plan", shop(plan.page))
    add.add_post("/shop/plan", shop(plan.save))
    add.add_post("/shop/plan/preview", shop(plan.preview))
    add.add_post("/shop/plan/common", shop(plan.save_common))
    add.add_get("/shop/referrals", shop(referrals.page))
    add.add_post("/shop/referrals/terms", shop(referrals.save))
    add.add_post(f"/shop/referrals/{ID}/{{action:allow|refuse}}", shop(referrals.decide))
    add.add_get("/shop/settings", shop(settings.page))
    add.add_get("/shop/settings/preview", shop(settings.preview))
    add.add_post("/shop/settings", shop(settings.save_shop))
    add.add_post("/shop/settings/programme", shop(settings.save_programme))
    add.add_get("/shop/team", owner(team.page))
    add.add_post("/shop/team", owner(team.add))
    add.add_post(f"/shop/team/{ID}/link", owner(team.link))
    add.add_post(f"/shop/team/{ID}/remove", owner(team.remove))
    add.add_post("/shop/team/keys", owner(team.add_key))
    add.add_post(f"/shop/team/keys/{ID}/revoke", owner(team.revoke_key))
    add.add_get("/shop/setup", owner(setup.page))
    add.add_post("/shop/setup/token", owner(setup.save_token))
    add.add_post("/shop/setup/link", owner(setup.link))
    add.add_post("/shop/setup/test", owner(setup.send_test))
    add.add_post("/shop/setup/poster", owner(setup.tick))
    add.add_get("/shop/audit", owner(audits.page))
    add.add_get("/shop/import", shop(importing.page))
    add.add_post("/shop/import", shop(importing.upload))
    add.add_get(f"/shop/import/{ID}", shop(importing.one))
    add.add_get(f"/shop/import/{ID}/preview", shop(importing.preview))
    add.add_get(f"/shop/import/{ID}/progress", shop(importing.progress))
    add.add_get(f"/shop/import/{ID}/rejected.csv", shop(importing.rejected))
    add.add_post(f"/shop/import/{ID}/start", shop(importing.start))
    add.add_post(f"/shop/import/{ID}/{{action:stop|discard}}", shop(importing.act))
    add.add_get("/shop/webhooks", owner(webhooks.page))
    add.add_post("/shop/webhooks", owner(webhooks.add))
    add.add_get(f"/shop/webhooks/{ID}", owner(webhooks.one))
    add.add_post(f"/shop/webhooks/{ID}", owner(webhooks.change))
    add.add_post(f"/shop/webhooks/{ID}/{{action:on|off|ping|replay|secret|remove}}", owner(webhooks.act))
    add.add_post(f"/shop/webhooks/deliveries/{ID}/replay", owner(webhooks.replay))
