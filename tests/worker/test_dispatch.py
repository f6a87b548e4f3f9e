"""Who is told what and when, by a clock that the tests turn: groups, steps, quiet hours, the roster, the end."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from alerts.rule import Key
from devices.device import Device
from storage import event_log, notices, shelf
from storage.alert_act import release, suppress
from storage.announce import announce_back
from storage.fleet import import_devices
from tests.storage.world import NOW, REGION, World, transition
from tests.worker.planned import STEPS, Night, write_plan
from worker import metrics
from worker.dispatch import count_dead, dispatch, dispatch_at

Begin = Callable[..., Any]


@pytest.fixture
async def night(world: World, worker: Any, tmp_path: Path) -> Begin:
    """`await night(more=…, wait_s=…)`: a plan in force and three gauges. Ingest tells the worker of everything."""

    async def begin(more: str = STEPS, **settings: Any) -> Night:
        here = await worker(notice_plan=write_plan(tmp_path / "plan.toml", more, **settings))
        world.ground.writer.notice_severity = 0
        made = Night(world, here)
        await made.gauges(15)
        return made

    return begin


async def test_what_comes_within_the_wait_goes_out_as_one(night: Begin) -> None:
    begun = await night(wait_s=30)
    await begun.move("raised", 1)
    assert await begun.made(1) == []
    await begun.move("raised", 2, gauge=1, at=20)
    await begun.move("worsened", 2, 1, at=25)
    assert await begun.made(29) == []
    assert await begun.made(31) == [("raised", "Rudi", "Pos 0 naik ke Siaga 2 dan 1 lainnya")]
    assert await begun.made(32) == []


async def test_the_next_message_of_a_group_keeps_its_distance(night: Begin) -> None:
    begun = await night(interval_s=300)
    await begun.move("raised", 1)
    assert len(await begun.made(0)) == 1
    await begun.move("raised", 1, gauge=1, at=10)
    assert await begun.made(299) == []
    assert await begun.made(300) == [("raised", "Rudi", "Pos 1 naik ke Siaga 3")]


async def test_the_worst_never_waits_and_takes_along_what_does(night: Begin) -> None:
    begun = await night(wait_s=30, interval_s=300)
    await begun.move("raised", 1)
    assert await begun.made(0) == []
    await begun.move("raised", 3, gauge=1, at=1)
    assert await begun.made(1) == [("raised", "Rudi", "Pos 1 naik ke Siaga 1 dan 1 lainnya")]


async def test_over_before_anybody_was_told_is_told_to_nobody(night: Begin) -> None:
    begun = await night(wait_s=30)
    await begun.move("raised", 1)
    await begun.made(0)
    await begun.move("cleared", None, 1, at=10)
    assert await begun.made(60) == []
    assert await begun.world.one("SELECT count(*) FROM notice_waiting") == 0


async def test_what_an_incident_stands_for_is_left_out(night: Begin) -> None:
    """A panel is dark: its lamps wait, the incident is there, and there is one message."""
    begun = await night(wait_s=20)
    for gauge in range(10):
        await begun.move("raised", 1, gauge=gauge)
    await begun.made(0)
    incident = transition("raised", 2, key=transition("raised", 2).key._replace(device_id="$panel/P-07"))
    await begun.world.move(incident, now=begun.at(5))
    members = [await begun.alert(gauge) for gauge in range(10)]
    (parent,) = await begun.world.rows("SELECT id FROM alert WHERE device_id = '$panel/P-07'")
    await suppress(begun.world.conn, members, parent[0], "siaga", "the panel", NOW)
    told = [each for at in (5, 20, 25, 60) for each in await begun.made(at)]
    assert [(what, who) for what, who, _ in told] == [("raised", "Rudi")]
    assert await begun.world.rows("SELECT group_key FROM delivery") == [(f"alert={parent[0]}",)]
    # The incident is over, and those that still stand come back.
    await begun.world.move(transition("cleared", None, 2, key=incident.key), now=begun.at(900))
    back = await release(begun.world.conn, members, "siaga", "the panel is back", NOW)
    assert await announce_back(begun.world.conn, back, 0) == 10
    assert [what for at in (901, 921) for what, *_ in await begun.made(at)] == ["over", "raised"]


async def test_an_incident_is_where_its_devices_are(night: Begin) -> None:
    begun = await night(more='districts = ["12.09.07"]\n' + STEPS)
    lamp = Device("l1", "streetlight", None, REGION, "12.09.07", attributes={"panel": "P-07"})
    await import_devices(begun.world.conn, [lamp])
    for panel in ("P-07", "P-08"):
        key = Key("outage", f"$panel/{panel}")
        await begun.world.move(transition("raised", 2, key=key, kind="streetlight", siaga=None), now=NOW)
    assert await begun.made(0) == [("raised", "Rudi", "Panel P-07 padam")]


async def test_a_message_of_many_names_ten_of_them(night: Begin) -> None:
    begun = await night(wait_s=1)
    for gauge in range(12):
        await begun.move("raised", 1 + (gauge == 7), gauge=gauge)
    await begun.made(0)
    ((_, _, title),) = await begun.made(2)
    assert title == "Pos 7 naik ke Siaga 2 dan 11 lainnya"
    lines = (await begun.world.one("SELECT body FROM delivery")).splitlines()
    assert lines[0].startswith("• Pos 7 naik ke Siaga 2: Siaga 2 (Siaga); Muka air 2,60 m; 19.00 WIB")
    assert len([line for line in lines if line.startswith("•")]) == 10
    assert lines[10] == "dan 2 lainnya"


async def test_a_group_has_its_own_message(night: Begin) -> None:
    begun = await night(more='quiet = { from = "01:00", until = "02:00" }\n' + STEPS)
    await begun.move("raised", 1)
    await begun.world.move(transition("raised", 1, key=transition("raised", 1).key._replace(rule="stale")))
    assert len(await begun.made(0)) == 2


class TestSteps:
    async def test_nobody_acknowledges_so_the_next_are_told(self, night: Begin) -> None:
        begun = await night()
        await begun.move("raised", 2)
        assert await begun.made(0) == [("raised", "Rudi", "Pos 0 naik ke Siaga 2")]
        assert await begun.made(599) == []
        assert await begun.made(600) == [
            ("escalated", "Sari", "Pos 0 rose to Siaga 2 – escalated, not yet acknowledged")
        ]
        assert await begun.made(6000) == []

    async def test_an_acknowledgement_stops_it_and_taken_back_it_starts_anew(self, night: Begin) -> None:
        begun = await night()
        await begun.move("raised", 2)
        await begun.made(0)
        await begun.do("ack")
        assert await begun.made(599) == []
        assert await begun.made(700) == []
        await begun.do("unack")
        assert await begun.made(701) == [("repeat", "Rudi", "Pos 0 naik ke Siaga 2 – belum dikonfirmasi")]
        assert await begun.made(1300) == []
        assert [who for _, who, _ in await begun.made(1301)] == ["Sari"]

    async def test_worse_is_a_message_and_starts_anew(self, night: Begin) -> None:
        begun = await night()
        await begun.move("raised", 2)
        await begun.made(0)
        await begun.do("ack")
        await begun.made(10)
        await begun.move("worsened", 3, 2, at=20)
        assert await begun.made(20) == [("worse", "Rudi", "Pos 0 naik ke Siaga 1")]
        assert [what for what, *_ in await begun.made(620)] == ["escalated"]
        await begun.move("eased", 2, 3, at=700)
        assert await begun.made(700) == []

    async def test_out_of_sight_it_does_not_go_on(self, night: Begin) -> None:
        begun = await night()
        await begun.move("raised", 2)
        await begun.made(0)
        await begun.do("shelve", until=NOW + timedelta(hours=1))
        assert await begun.made(600) == []
        await begun.do("unshelve")  # by hand: who did it knows
        assert await begun.made(4000) == []

    async def test_repeated_to_all_that_were_told_while_it_stands(self, night: Begin) -> None:
        begun = await night(more="repeat_s = 400\n" + STEPS)
        await begun.move("raised", 2)
        told = [(at, what, who) for at in range(0, 1500, 100) for what, who, _ in await begun.made(at)]
        assert told == [
            (0, "raised", "Rudi"), (400, "repeat", "Rudi"), (600, "escalated", "Sari"),
            (1000, "repeat", "Rudi"), (1000, "repeat", "Sari"), (1400, "repeat", "Rudi"), (1400, "repeat", "Sari"),
        ]  # fmt: skip
        await begun.do("ack")
        assert await begun.made(1900) == []

    async def test_a_worker_that_was_away_goes_on_step_by_step(self, night: Begin) -> None:
        three = 'steps = [{ to = ["Rudi"] }, { after_s = 600, to = ["Sari"] }, { after_s = 900, to = ["Rudi"] }]'
        begun = await night(more=three)
        await begun.move("raised", 2)
        await begun.made(0)
        assert [who for _, who, _ in await begun.made(5000)] == ["Sari"]
        assert await begun.made(5299) == []
        assert [who for _, who, _ in await begun.made(5300)] == ["Rudi"]


class TestTheEnd:
    async def test_goes_to_whoever_was_told_whatever_became_of_alert_and_plan(
        self, night: Begin, tmp_path: Path
    ) -> None:
        begun = await night(more='steps = [{ to = ["Rudi"] }, { after_s = 60, to = ["duty:bpbd"] }]')
        await begun.on_duty("Sari", until=120)
        await begun.move("raised", 2)
        await begun.made(0)
        await begun.made(60)
        await begun.do("ack")
        await begun.do("shelve", until=NOW + timedelta(hours=1))
        write_plan(tmp_path / "plan.toml", 'name = "x"\n' + STEPS.replace("Rudi", "Sari"))
        (tmp_path / "plan.toml").write_text((tmp_path / "plan.toml").read_text().replace('name = "all"\n', ""))
        assert begun.here.notices.reload()
        await begun.move("cleared", None, 2, at=3000)
        assert await begun.made(3000) == [
            ("over", "Rudi", "Pos 0 kembali ke Siaga 4"), ("over", "Sari", "Pos 0 is back at Siaga 4"),
        ]  # fmt: skip
        assert await begun.made(3001) == []

    async def test_each_is_told_of_what_they_were_told_of(self, night: Begin) -> None:
        begun = await night(wait_s=5)
        await begun.move("raised", 2)
        await begun.made(0)
        await begun.made(5)
        await begun.made(605)  # Sari knows of the first only
        await begun.move("raised", 2, gauge=1, at=610)
        await begun.made(610)
        await begun.made(615)
        await begun.move("cleared", None, 2, at=700)
        await begun.move("cleared", None, 2, gauge=1, at=700)
        await begun.made(700)
        told = await begun.made(705)
        assert told == [
            ("over", "Rudi", "Pos 0 kembali ke Siaga 4 dan 1 lainnya"), ("over", "Sari", "Pos 0 is back at Siaga 4"),
        ]  # fmt: skip

    async def test_who_never_got_the_beginning_does_not_get_the_end(self, night: Begin) -> None:
        begun = await night()
        await begun.move("raised", 2)
        await begun.made(0)
        await notices.failed(begun.world.conn, await begun.world.one("SELECT id FROM delivery"), "no such chat", None)
        await begun.move("cleared", None, 2, at=10)
        assert await begun.made(10) == []
        assert await begun.world.rows("SELECT open FROM page") == [(False,)]

    async def test_raised_again_before_its_end_was_told_it_has_no_end_yet(self, night: Begin) -> None:
        begun = await night(interval_s=60)
        await begun.move("raised", 2)
        await begun.made(0)
        await begun.move("cleared", None, 2, at=10)
        await begun.made(10)
        await begun.move("raised", 2, at=20)
        assert await begun.made(20) == []
        assert [what for what, *_ in await begun.made(60)] == ["raised"]
        await begun.move("cleared", None, 2, at=200)
        assert [what for what, *_ in await begun.made(200)] == ["over"]
        assert await begun.made(300) == []

    async def test_historical_ones_never_page(self, night: Begin) -> None:
        begun = await night()
        key = transition("raised", 3).key._replace(device_id="g0")
        await begun.world.move(transition("raised", 3, key=key, historical=True))
        await begun.world.move(transition("cleared", None, 3, key=key, historical=True))
        assert await begun.made(0) == []
        await begun.world.move(transition("raised", 2, key=key, historical=True))
        await begun.world.move(transition("went_live", 2, 2, key=key))
        assert [what for what, *_ in await begun.made(1)] == ["raised"]


class TestQuietHours:
    # NOW is 19:00 in Jakarta.
    QUIET = 'quiet = { from = "18:00", until = "20:00", below_severity = 2 }\n'

    async def test_end_with_one_digest(self, night: Begin) -> None:
        begun = await night(more=self.QUIET + STEPS, wait_s=0)
        for gauge in range(3):
            await begun.move("raised", 1, gauge=gauge)
        await begun.world.move(transition("raised", 0, key=transition("raised", 0).key._replace(rule="stale")))
        await begun.made(0)
        await begun.move("cleared", None, 1, gauge=2, at=60)
        assert await begun.made(3599) == []
        assert await begun.made(3600) == [("digest", "Rudi", "Ringkasan jam tenang: 4 peringatan, 3 masih berlangsung")]
        body = await begun.world.one("SELECT body FROM delivery")
        assert "Pos 0 naik ke Siaga 3" in body
        assert "1 sudah pulih dengan sendirinya" in body
        # What stands escalates from here on, and has an end.
        assert [what for what, *_ in await begun.made(4200)] == ["escalated", "escalated"]
        await begun.move("cleared", None, 1, at=5000)
        assert ("over", "Rudi", "Pos 0 kembali ke Siaga 4") in await begun.made(5000)

    async def test_are_not_for_what_is_severe_or_becomes_so(self, night: Begin) -> None:
        begun = await night(more=self.QUIET + STEPS)
        await begun.move("raised", 2)
        assert [what for what, *_ in await begun.made(0)] == ["raised"]
        await begun.move("raised", 1, gauge=1, at=10)
        assert await begun.made(10) == []
        await begun.move("worsened", 2, 1, gauge=1, at=20)
        assert [what for what, *_ in await begun.made(20)] == ["raised"]

    async def test_escalation_and_all_clear_wait_for_day_as_well(self, night: Begin) -> None:
        quiet = self.QUIET.replace("18:00", "19:05")
        begun = await night(more=quiet + STEPS)
        await begun.move("raised", 1)
        await begun.move("raised", 1, gauge=1)
        assert [what for what, *_ in await begun.made(0)] == ["raised"]
        await begun.move("cleared", None, 1, gauge=1, at=600)
        assert await begun.made(600) == []
        assert sorted(what for what, *_ in await begun.made(3600)) == ["escalated", "over"]


class TestTheRoster:
    DUTY = 'steps = [{ to = ["duty:bpbd"] }]'

    async def test_who_is_on_duty_then(self, night: Begin) -> None:
        begun = await night(more=self.DUTY)
        await begun.on_duty("Rudi", 0, 100)
        await begun.on_duty("Sari", 100, 200)
        await begun.move("raised", 2)
        assert [who for _, who, _ in await begun.made(99)] == ["Rudi"]
        await begun.move("raised", 2, gauge=1, at=100)
        assert [who for _, who, _ in await begun.made(100)] == ["Sari"]

    async def test_nobody_is_so_the_fallback_and_it_says_so(
        self, night: Begin, capsys: pytest.CaptureFixture[str]
    ) -> None:
        begun = await night(more=self.DUTY)
        await begun.on_duty("somebody who left")
        await begun.move("raised", 2)
        assert [who for _, who, _ in await begun.made(0)] == ["Sari"]
        assert await begun.world.one("SELECT note FROM delivery") == "nobody of bpbd is on duty"
        assert "duty.nobody" in "".join(capsys.readouterr())


async def test_two_workers_tell_once(night: Begin, worker: Any) -> None:
    begun = await night()
    other = await worker(notice_plan=begun.here.settings.notice_plan)
    async with other.pool.connection() as conn, conn.transaction():
        await conn.execute("SELECT pg_advisory_xact_lock(x'7369616761206e6f'::bigint)")
        await begun.move("raised", 2)
        assert await begun.made(0) == []
    assert len(await begun.made(0)) == 1
    await dispatch_at(other, begun.at(1))
    assert await begun.world.one("SELECT count(*) FROM delivery") == 1
    assert await begun.world.one("SELECT count(*) FROM procrastinate_jobs WHERE task_name = 'deliver'") == 1


async def test_a_back_by_itself_is_told_as_such(night: Begin) -> None:
    begun = await night(more='steps = [{ to = ["Rudi"] }]')
    await begun.move("raised", 2)
    await begun.do("shelve", until=NOW + timedelta(hours=1))
    assert await begun.made(0) == []
    async with begun.world.conn.transaction():
        await begun.world.conn.execute(event_log.LOCK)
        events = await shelf.end_shelves(begun.world.conn, NOW + timedelta(hours=1))
        await announce_back(begun.world.conn, events, 0)
    assert await begun.made(3600) == [("raised", "Rudi", "Pos 0 naik ke Siaga 2 – masih berlangsung")]


async def test_a_changed_plan_is_taken_over_and_a_broken_one_is_not(
    night: Begin, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    begun = await night()
    file = tmp_path / "plan.toml"
    good = file.read_text()
    file.write_text(good.replace("[[route]]", "[[rout]]"))
    for _ in range(2):
        await dispatch(begun.here)
    said = "".join(capsys.readouterr())
    assert said.count("plan.refused") == 1
    assert "rout: a plan holds tables" in said
    await begun.move("raised", 2)
    assert len(await begun.made(0)) == 1
    file.write_text(good.replace('to = ["Rudi"]', 'to = ["Sari"]'))
    assert begun.here.notices.reload()
    await begun.move("raised", 2, gauge=1)
    assert [who for _, who, _ in await begun.made(1)] == ["Sari"]


async def test_dead_letters_are_counted(night: Begin) -> None:
    begun = await night()
    await begun.move("raised", 2)
    await begun.made(0)
    await begun.world.conn.execute("UPDATE delivery SET gave_up = true, made_at = now()")
    await count_dead(begun.here)
    assert metrics.NOTICES_DEAD._value.get() == 1
    assert begun.here.health.state != "degraded"
