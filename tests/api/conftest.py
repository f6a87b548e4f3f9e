"""The real application in this process, on a PostgreSQL database of its own, and a small town to look at."""

from __future__ import annotations

import asyncio
import functools
import json
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import psycopg
import pytest
from psycopg import sql
from psycopg.types.json import Jsonb

from api import openapi
from api.app import create_app
from devices.kinds import KINDS
from runtime.settings import Settings
from storage import event_log, flavour, keys
from storage.kind_tables import STEPS, Level
from tests.servers import Postgres

KEYS = {role: f"key-of-the-{role}" for role in ("viewer", "operator", "engineer", "admin")}
# DELETE, as TRUNCATE makes new files for a hundred empty tables; a replica does not check foreign keys.
EMPTY = """
DO $$
DECLARE name text;
BEGIN
    SET LOCAL session_replication_role = replica;
    FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'alembic_version' LOOP
        EXECUTE format('DELETE FROM %I', name);
    END LOOP;
END $$
"""
SEEN = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.fixture(scope="session")
def api_database(postgres: Postgres, template: str) -> Iterator[str]:
    """One database for all tests of the API: to copy one for each would take most of their time."""
    yield postgres.create("siaga_api", template)
    postgres.drop("siaga_api")


@pytest.fixture
def database_url(api_database: str) -> str:
    """The database of these tests, emptied. A test that changes tables puts them back."""
    with psycopg.connect(api_database, autocommit=True) as conn:
        conn.execute(EMPTY)
    return api_database


@pytest.fixture
def settings(database_url: str) -> Settings:
    key = "a key of 32 characters and more, for tests"
    return Settings(database_url=database_url, live_poll_s=0.05, page_max=1000, metrics_max=5000, device_key=key)


@pytest.fixture
def db(database_url: str) -> Iterator[psycopg.Connection]:
    """A look past the API, with a key for every role."""
    with psycopg.connect(database_url, autocommit=True, options="-c timezone=UTC") as conn:
        for role, key in KEYS.items():
            conn.execute(
                "INSERT INTO api_key (name, digest, role) VALUES (%s, %s, %s)", (f"a {role}", keys.digest(key), role)
            )
        yield conn


_make_document = openapi.document


@functools.cache
def _document(page_max: int) -> dict[str, Any]:
    settings = Settings(database_url="postgresql://nobody@127.0.0.1:1/none", page_max=page_max)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(openapi, "document", _make_document)
        made: dict[str, Any] = create_app(settings).state.document()
    return made


@pytest.fixture
async def app(settings: Settings, db: psycopg.Connection, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Any]:
    # FastAPI takes half a second to describe the application, the same each time.
    monkeypatch.setattr(openapi, "document", lambda app, settings: _document(settings.page_max))
    made = create_app(settings)
    async with made.router.lifespan_context(made):
        yield made


@pytest.fixture
async def client(app: Any) -> AsyncIterator[Callable[..., httpx.AsyncClient]]:
    """`client("operator")` calls as one; `client(None)` as nobody."""
    opened: list[httpx.AsyncClient] = []

    def as_role(role: str | None = "viewer", **options: Any) -> httpx.AsyncClient:
        headers = {"Authorization": f"Bearer {KEYS[role]}"} if role else {}
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        opened.append(httpx.AsyncClient(transport=transport, base_url="http://siaga", headers=headers, **options))
        return opened[-1]

    yield as_role
    for each in opened:
        await each.aclose()


@pytest.fixture
def viewer(client: Callable[..., httpx.AsyncClient]) -> httpx.AsyncClient:
    return client("viewer")


@pytest.fixture
def operator(client: Callable[..., httpx.AsyncClient]) -> httpx.AsyncClient:
    return client("operator")


class Town:
    """Puts rows where ingest and worker would."""

    def __init__(self, conn: psycopg.Connection) -> None:
        self.conn = conn

    def device(self, device_id: str, kind: str = "streetlight", name: str | None = None, **more: Any) -> None:
        attributes = more.pop("attributes", {})
        row = {
            "id": device_id, "kind": kind, "name": name, "region": "12.09", "district": "12.09.19",
            "lat": 2.98, "lon": 99.6,
        } | more  # fmt: skip
        self.conn.execute(
            "INSERT INTO device (id, kind, name, region, district, lat, lon, attributes)"
            " VALUES (%(id)s, %(kind)s, %(name)s, %(region)s, %(district)s, %(lat)s, %(lon)s, %(attributes)s)",
            row | {"attributes": Jsonb(attributes)},
        )

    def gauge(self, device_id: str = "buntu-pane", **more: Any) -> None:
        bounds = {"siaga_3_m": 2.0, "siaga_2_m": 2.5, "siaga_1_m": 3.0}
        self.device(
            device_id, "water_level", more.pop("name", "Buntu Pane"), attributes=more.pop("attributes", bounds), **more
        )

    def reading(self, device: str, kind: str, ts: datetime, qc: int = 1, reason: int = 0, **values: Any) -> None:
        table = f"reading_{kind}"
        self._partition(table, ts, STEPS["raw"])
        self._insert(
            table, device_id=device, ts=ts, received_at=ts + timedelta(seconds=1), qc=qc, qc_reason=reason, **values
        )

    def _partition(self, table: str, at: datetime, step: timedelta) -> None:
        start = flavour.start_of(at, step)
        self.conn.execute(
            sql.SQL("CREATE TABLE IF NOT EXISTS {} PARTITION OF {} FOR VALUES FROM ({}) TO ({})").format(
                sql.Identifier(f"{table}_p{start:%Y%m%d}"), sql.Identifier(table),
                sql.Literal(start.isoformat()), sql.Literal((start + step).isoformat()),
            )
        )  # fmt: skip

    def latest(self, device: str, kind: str, ts: datetime, qc: int = 1, reason: int = 0, **values: Any) -> None:
        full = dict.fromkeys(KINDS[kind].numbers) | values | {"fw": None}
        self.conn.execute("DELETE FROM latest WHERE device_id = %s", (device,))
        self._insert(
            "latest", device_id=device, kind=kind, ts=ts, received_at=ts + timedelta(seconds=1), qc=qc,
            qc_reason=reason, values=Jsonb(full),
        )  # fmt: skip

    def rollup(self, kind: str, size: Level, device: str, bucket: datetime, n: int = 1, **values: Any) -> None:
        good = values.pop("n_good", n)
        self._partition(f"rollup_{kind}_{size}", bucket, STEPS[size])
        self._insert(f"rollup_{kind}_{size}", device_id=device, bucket=bucket, n=n, n_good=good, **values)

    def alert(self, device: str, rule: str = "lamp_out", severity: int = 0, **more: Any) -> int:
        values = {
            "rule": rule, "device_id": device, "kind": "streetlight", "metric": "power_w", "severity": severity,
            "peak_severity": severity, "active": True, "acked": False, "historical": False, "raised_at": SEEN,
            "detected_at": SEEN, "value": 0.5,
        } | more  # fmt: skip
        return int(self._insert("alert", returning="id", **values))

    def transition(self, alert_id: int, what: str = "raised", to_severity: int = 0, **more: Any) -> int:
        with self.conn.transaction():
            self.conn.execute(event_log.LOCK)
            values = {
                "alert_id": alert_id, "what": what, "from_severity": None, "to_severity": to_severity, "siaga": None,
                "event_at": SEEN, "detected_at": SEEN, "who": None, "why": None, "value": 0.5,
            } | more  # fmt: skip
            row = self.conn.execute(event_log.INSERT, values).fetchone()
        assert row
        return int(row[0])

    def _insert(self, table: str, returning: str = "1", **values: Any) -> Any:
        row = self.conn.execute(
            sql.SQL("INSERT INTO {} ({}) VALUES ({}) RETURNING {}").format(
                sql.Identifier(table),
                sql.SQL(", ").join(map(sql.Identifier, values)),
                sql.SQL(", ").join(map(sql.Placeholder, values)),
                sql.SQL(returning),
            ),
            values,
        ).fetchone()
        assert row
        return row[0]


@pytest.fixture
def town(db: psycopg.Connection) -> Town:
    return Town(db)


class Stream:
    """An open SSE stream, driven as a server would: httpx's transport waits for an answer's end, which never comes."""

    def __init__(self, app: Any, headers: dict[str, str], query: str = "") -> None:
        self.status = 0
        self.ended = asyncio.Event()
        self._chunks: asyncio.Queue[bytes] = asyncio.Queue()
        self._gone = asyncio.Event()
        self._started = asyncio.Event()
        self._reading = asyncio.Event()
        self._reading.set()
        self._text = ""
        self.headers: dict[str, str] = {}
        raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        scope = {
            "type": "http", "asgi": {"version": "3.0", "spec_version": "2.3"}, "http_version": "1.1", "method": "GET",
            "scheme": "http", "path": "/api/v1/stream", "raw_path": b"/api/v1/stream",
            "query_string": query.encode(),
            "root_path": "", "headers": raw, "client": ("127.0.0.1", 1), "server": ("siaga", 80),
        }  # fmt: skip
        self._task = asyncio.create_task(app(scope, self._receive, self._send))
        self._task.add_done_callback(lambda _: self._finish())

    async def opened(self) -> Stream:
        async with asyncio.timeout(10):
            await self._started.wait()
        return self

    def pause(self) -> None:
        """Stop reading, as a client does whose network is stuck."""
        self._reading.clear()

    def resume(self) -> None:
        self._reading.set()

    async def next(self, *names: str) -> tuple[str, dict[str, Any], str | None]:
        """The next event with one of these names: name, data, id."""
        async with asyncio.timeout(10):
            while True:
                while "\n\n" not in self._text:
                    self._text += (await self._chunks.get()).decode()
                block, self._text = self._text.split("\n\n", 1)
                fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
                if fields.get("event") in names:
                    return fields["event"], json.loads(fields["data"]), fields.get("id")
                if not names and "event" not in fields:
                    return "", {}, fields.get("id")

    async def close(self) -> None:
        self._gone.set()
        self._reading.set()
        async with asyncio.timeout(10):
            await self.ended.wait()

    async def _receive(self) -> dict[str, Any]:
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {name.decode(): value.decode() for name, value in message["headers"]}
            self._started.set()
        else:
            await self._reading.wait()
            self._chunks.put_nowait(message.get("body", b""))

    def _finish(self) -> None:
        self._started.set()
        self.ended.set()


@pytest.fixture
async def streams(app: Any) -> AsyncIterator[Callable[..., Any]]:
    """`await streams()` opens a stream as a viewer; all are closed at the end."""
    opened: list[Stream] = []

    async def open_stream(
        key: str | None = KEYS["viewer"], last_event_id: str | None = None, query: str = ""
    ) -> Stream:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        if last_event_id is not None:
            headers["Last-Event-ID"] = last_event_id
        opened.append(Stream(app, headers, query))
        return await opened[-1].opened()

    yield open_stream
    for stream in opened:
        await stream.close()
