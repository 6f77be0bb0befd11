"""Moments in words, as agents write them after /later and beside a promise."""

from datetime import datetime, time
from zoneinfo import ZoneInfo

import pytest

from support.deadlines import moments

ZONE = "Asia/Ho_Chi_Minh"
SATURDAY = datetime(2026, 11, 21, 15, 20, tzinfo=ZoneInfo(ZONE))
SAID = [
    ("2d", "2026-11-23 15:20"), ("45m", "2026-11-21 16:05"), ("90 phút", "2026-11-21 16:50"),
    ("2 tiếng", "2026-11-21 17:20"), ("in 2h", "2026-11-21 17:20"), ("2 giờ nữa", "2026-11-21 17:20"),
    ("2h", "2026-11-21 17:20"), ("tối nay", "2026-11-21 19:00"), ("chiều thứ hai", "2026-11-23 14:00"),
    ("sau 3 ngày", "2026-11-24 15:20"), ("1w", "2026-11-28 15:20"), ("2 tuần", "2026-12-05 15:20"),
    ("16:30", "2026-11-21 16:30"), ("14:30", "2026-11-22 14:30"), ("9h", "2026-11-22 09:00"),
    ("9 giờ", "2026-11-22 09:00"), ("17h30", "2026-11-21 17:30"), ("9h tối", "2026-11-21 21:00"),
    ("5pm", "2026-11-21 17:00"), ("8am", "2026-11-22 08:00"), ("lúc 18h", "2026-11-21 18:00"),
    ("tối", "2026-11-21 19:00"), ("mai", "2026-11-22 09:00"), ("mai 9h", "2026-11-22 09:00"),
    ("9h mai", "2026-11-22 09:00"), ("ngày mai", "2026-11-22 09:00"), ("sáng mai", "2026-11-22 09:00"),
    ("chiều mai", "2026-11-22 14:00"), ("Mai 14:30", "2026-11-22 14:30"), ("mai 2h chiều", "2026-11-22 14:00"),
    ("mốt", "2026-11-23 09:00"), ("hôm nay 18h", "2026-11-21 18:00"), ("thứ hai", "2026-11-23 09:00"),
    ("THU HAI", "2026-11-23 09:00"), ("thứ 2 14h", "2026-11-23 14:00"), ("t6", "2026-11-27 09:00"),
    ("thứ bảy", "2026-11-28 09:00"), ("thứ bảy 18h", "2026-11-21 18:00"), ("chủ nhật", "2026-11-22 09:00"),
    ("cn 8h30", "2026-11-22 08:30"), ("monday", "2026-11-23 09:00"), ("tomorrow 2pm", "2026-11-22 14:00"),
    ("next week", "2026-11-28 09:00"), ("25/12", "2026-12-25 09:00"), ("25/12 8h", "2026-12-25 08:00"),
    ("ngày 25/12 lúc 8h", "2026-12-25 08:00"), ("1/2", "2027-02-01 09:00"), ("2026-12-01 10:00", "2026-12-01 10:00"),
]  # fmt: skip


@pytest.mark.parametrize(("said", "meant"), SAID, ids=[one[0] for one in SAID])
def test_said(said: str, meant: str) -> None:
    found = moments.parse(said, SATURDAY, ZONE)
    assert found is not None
    assert found.astimezone(ZoneInfo(ZONE)) == datetime.fromisoformat(meant).replace(tzinfo=ZoneInfo(ZONE))


@pytest.mark.parametrize(
    "said", ["", "soon", "2", "25:00", "31/2", "0d", "hôm nay 9h", "2026-11-20", "9999d", "thứ chín", "mai mai"]
)
def test_not_a_moment_to_come(said: str) -> None:
    assert moments.parse(said, SATURDAY, ZONE) is None


def test_a_day_means_the_hour_that_is_asked_for() -> None:
    found = moments.parse("thứ hai", SATURDAY, ZONE, time(17, 30))
    assert found == datetime(2026, 11, 23, 17, 30, tzinfo=ZoneInfo(ZONE))
