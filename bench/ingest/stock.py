"""(b) What people write first: stock paho, pydantic, a COPY per 1,000 rows; acknowledged on arrival.

No checks, no ledger, no latest values, no alerts, and what it holds is lost when it is killed.
`python -m bench.ingest.stock BROKER CLIENT_ID DATABASE READINGS EACH` is the process.
"""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager
from typing import Any, NotRequired

import paho.mqtt.client as paho
import psycopg
from paho.mqtt.enums import CallbackAPIVersion
from psycopg import sql
from pydantic import AwareDatetime, ConfigDict, TypeAdapter
from typing_extensions import TypedDict

from bench.ingest.competitor import COLUMNS, TABLE, Competitor, Running, Task, python, talking
from runtime.mqtt_url import parse_url

COPY_ROWS = 1_000
TOLD = tuple(COLUMNS)[1:]  # by the payload; the device is in the topic
TYPES: dict[str, Any] = {"timestamptz": AwareDatetime, "int8": int | None, "text": str | None, "float8": float | None}


def start(task: Task) -> AbstractContextManager[Running]:
    given = (task.broker, task.client_id, task.database, task.readings, task.each)
    return talking(task, python("bench.ingest.stock", *given))


def receive(broker_url: str, client_id: str, database: str, readings: int, each: int) -> None:
    reading = TypedDict("reading", {name: NotRequired[TYPES[COLUMNS[name]]] for name in TOLD})  # type: ignore[misc]
    reading.__pydantic_config__ = ConfigDict(val_temporal_unit="milliseconds")  # type: ignore[attr-defined]
    decode: Any = TypeAdapter(reading if each == 1 else list[reading]).validate_json  # type: ignore[valid-type]
    names = sql.SQL(", ").join(map(sql.Identifier, COLUMNS))
    statement = sql.SQL("COPY reading ({}) FROM STDIN (FORMAT BINARY)").format(names)
    rows: list[tuple[Any, ...]] = []
    stored = 0
    broker = parse_url(broker_url)
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id=client_id, clean_session=False)
    client.username_pw_set(broker.username, broker.password)

    with psycopg.connect(database, autocommit=True) as conn:

        def flush() -> None:
            nonlocal stored
            with conn.cursor() as cursor, cursor.copy(statement) as copy:
                copy.set_types(list(COLUMNS.values()))
                for row in rows:
                    copy.write_row(row)
            stored += len(rows)
            rows.clear()

        def on_message(client: paho.Client, userdata: Any, message: paho.MQTTMessage) -> None:
            found = decode(message.payload)
            device_id = message.topic.split("/")[3]
            rows.extend((device_id, *map(item.get, TOLD)) for item in ([found] if each == 1 else found))
            if len(rows) >= COPY_ROWS or stored + len(rows) >= readings:
                flush()
                if stored >= readings:
                    client.disconnect()

        client.on_message = on_message
        client.connect(broker.host, broker.port)
        client.loop_forever()
    print(stored, flush=True)


COMPETITOR = Competitor("b", "stock paho, pydantic, COPY", start, TABLE, "SELECT count(*) FROM reading")

if __name__ == "__main__":
    receive(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5]))
