"""The client against a server that is busy, breaks off, or is another: what is tried again, how often, what is said."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

import pytest

from siaga.client import ApiError, Beat, Client, SiagaError, UnreachableError, live, wire
from siaga.client.live import blocks

ME = {
    "name": "sari", "role": "viewer", "regions": None, "region": "12.09", "regency": "Kabupaten Asahan",
    "time_zone": "Asia/Jakarta", "now": "2026-11-24T12:10:00Z",
}  # fmt: skip
POSTED = {"received": 0, "stored": 0, "duplicate": 0, "conflict": 0, "quarantined": 0, "items": []}
BEAT = 'event: beat\ndata: {"now":"2026-11-24T12:10:00Z","lag_s":null,"readings_per_s":1.5}\n\n'


class Answer(NamedTuple):
    """None for a body: the connection ends without an answer."""

    status: int
    body: bytes | None
    headers: Mapping[str, str] = {}


def ok(value: Any, **headers: str) -> Answer:
    return Answer(200, json.dumps(value).encode(), headers)


def busy(status: int = 503, **headers: str) -> Answer:
    return Answer(status, json.dumps({"title": "Busy", "status": status}).encode(), headers)


def stream(text: str) -> Answer:
    return Answer(200, text.encode(), {"Content-Type": "text/event-stream"})


BROKEN = Answer(0, None)


class Server:
    """Answers one after the other, the last for ever, and remembers what was asked."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.asked: list[tuple[str, Mapping[str, str]]] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                server.asked.append((f"{self.command} {self.path}", dict(self.headers)))
                answer = server.answers.pop(0) if len(server.answers) > 1 else server.answers[0]
                if answer.body is None:
                    return
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name.replace("_", "-"), value)
                self.end_headers()
                self.wfile.write(answer.body)

            do_POST = do_PUT = do_GET  # noqa: N815

            def log_message(self, *_: object) -> None: ...

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._http.serve_forever)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._http.server_port}"

    def close(self) -> None:
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()


class Clock:
    """Time that passes only where somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    for module in (wire, live):
        monkeypatch.setattr(module, "time", made)
    return made


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.close()


@pytest.fixture
def client(server: Server, clock: Clock) -> Iterator[Client]:
    with Client(server.url, "key", patience_s=30) as made:
        yield made


@pytest.fixture
def serve(server: Server) -> Callable[..., Server]:
    def answer(*answers: Answer) -> Server:
        server.answers = list(answers)
        return server

    return answer


Serve = Callable[..., Server]


def test_busy_is_asked_again_when_it_says(serve: Serve, client: Client, clock: Clock) -> None:
    server = serve(busy(429, Retry_After="7"), busy(503, Retry_After="5"), busy(503), BROKEN, ok(ME))
    assert client.me().name == "sari"
    assert clock.slept == [7, 5, 1, 1]
    assert {name for name, _ in server.asked} == {"GET /api/v1/me"}
    assert server.asked[0][1]["Authorization"] == "Bearer key"


def test_patience_ends(serve: Serve, client: Client, clock: Clock) -> None:
    serve(busy(Retry_After="12"))
    with pytest.raises(ApiError, match="HTTP 503; Busy") as refused:
        client.me()
    assert (refused.value.status, clock.slept) == (503, [12, 12])
    serve(busy(429, Retry_After="31"))
    with pytest.raises(ApiError, match="HTTP 429"):
        client.me()
    assert clock.slept == [12, 12], "waiting longer than one has patience is of no use"
    serve(BROKEN)
    with pytest.raises(UnreachableError, match="RemoteProtocolError"):
        client.me()


@pytest.mark.parametrize("answer", [busy(Retry_After="1"), busy(429, Retry_After="1"), BROKEN])
def test_what_may_not_be_done_twice_is_not(serve: Serve, client: Client, answer: Answer) -> None:
    server = serve(answer)
    for act in (
        lambda: client.acknowledge(1),
        lambda: client.bulk("ack", [1]),
        lambda: list(client.act_on_quarantine("claim", [1])),
        lambda: client.change_rule({"id": "siaga"}, "why", seen=1),
    ):
        del server.asked[:]
        with pytest.raises(SiagaError):
            act()
        assert len(server.asked) == 1


def test_readings_are_sent_again_under_the_same_key(serve: Serve, client: Client) -> None:
    server = serve(busy(), BROKEN, ok(POSTED), ok(POSTED))
    client.post_readings([])
    client.post_readings([])
    used = [headers["Idempotency-Key"] for _, headers in server.asked]
    assert (len(set(used[:3])), len(set(used))) == (1, 2)


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (Answer(200, b"<html>"), "answered, but not as Siaga's API does. Is SIAGA_API_URL right?"),
        (Answer(404, b"<html>"), "answered, HTTP 404, but not as Siaga's API does"),
        (Answer(302, b"", {"Location": "/elsewhere"}), "answered, HTTP 302, but not as"),
    ],
)
def test_somebody_else_is_there(serve: Serve, client: Client, answer: Answer, says: str) -> None:
    server = serve(answer)
    with pytest.raises(UnreachableError) as error:
        client.me()
    assert f"GET {server.url}/api/v1/me {says}" in str(error.value)
    with pytest.raises(UnreachableError, match="not as Siaga's API does"):
        next(client.stream())


def test_a_proxy_that_has_nobody_behind_it(serve: Serve, client: Client) -> None:
    serve(Answer(503, b"<html>"), ok(ME))
    assert client.me().name == "sari"


def test_what_is_new_is_no_error_and_what_is_missing_is(serve: Serve, client: Client) -> None:
    serve(ok(ME | {"shoe_size": 43, "role": "auditor"}))
    assert client.me().role == "auditor"
    serve(ok({name: value for name, value in ME.items() if name != "region"}))
    with pytest.raises(SiagaError, match=r"Me\.region: .*versions that do not go together"):
        client.me()
    serve(ok(ME | {"now": "2026-11-24T19:10:00+07:00"}))
    assert (client.me().now, client.me().now.tzinfo) == (datetime(2026, 11, 24, 12, 10, tzinfo=UTC), UTC)


def test_an_address_on_its_way_out_is_told(serve: Serve, client: Client) -> None:
    serve(ok(ME, Sunset="Wed, 24 Nov 2027 00:00:00 GMT"))
    with pytest.warns(FutureWarning, match="/me is gone from Wed, 24 Nov 2027"):
        client.me()


def test_a_file_that_is_not_whole_is_told(serve: Serve, client: Client) -> None:
    serve(Answer(200, b"ts,seq\n", {"Content-Length": "1000"}))
    file = io.BytesIO()
    with pytest.raises(UnreachableError, match="broke off before its end"):
        client.csv("/readings", file, device="wl-1")
    assert file.getvalue() == b"ts,seq\n"
    serve(busy(), Answer(200, b"ts\n"))
    assert client.csv("/readings", file) == 3


def test_a_stream_is_opened_again_after_its_last_id(serve: Serve, client: Client, clock: Clock) -> None:
    server = serve(
        stream(f"retry: 500\nid: 7\n\n: silence\n\nevent: weather\ndata: rain\n\n{BEAT}"),
        stream(f"id: 9\n\n{BEAT}event: beat\ndata: half of one"),
        busy(Retry_After="3"),
        BROKEN,
        stream(BEAT),
    )
    events = client.stream(topic=["alert", "beat"], kind="water_level")
    assert [next(events) for _ in range(3)] == [Beat(datetime(2026, 11, 24, 12, 10, tzinfo=UTC), None, 1.5)] * 3
    assert [headers.get("Last-Event-ID") for _, headers in server.asked] == [None, "7", "9", "9", "9"]
    assert server.asked[0][0] == "GET /api/v1/stream?topic=alert%2Cbeat&kind=water_level"
    assert clock.slept == [0.5, 0.5, 3, 1]


def test_a_stream_that_does_not_come_back(serve: Serve, client: Client, clock: Clock) -> None:
    serve(stream(BEAT), BROKEN)
    events = client.stream()
    next(events)
    with pytest.raises(UnreachableError):
        next(events)
    assert clock.now <= 2 * 30
    serve(stream(BEAT), Answer(401, b'{"title": "No valid key or session"}'))
    events = client.stream()
    next(events)
    with pytest.raises(ApiError, match="No valid key"):
        next(events)


def test_events_in_pieces_of_any_size() -> None:
    text = (
        "retry: 2000\r\nid: 1\r\n\r\n: silence\n\n"
        'event: alert\nid: 2\ndata: "a\u2028b: \x85"\n\n'
        "data: 1\ndata:2\n\nid: 3"
    )
    whole = [
        {"retry": "2000", "id": "1"},
        {"event": "alert", "id": "2", "data": '"a\u2028b: \x85"'},
        {"data": "1\n2"},
    ]
    sent = text.encode()
    for size in range(1, len(sent) + 1):
        assert list(blocks(sent[at : at + size] for at in range(0, len(sent), size))) == whole
