"""What an attacker tries who has a device's credential, or none. Each attack returns what came of it, in few words."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from runtime.mqtt_url import parse_url
from siaga import ca
from siaga.ca import Issued
from tests.identity.attacker import GRANTED, LET_IN, TAKEN, Client, Who
from tests.identity.brokers import PASSWORD, SERVICE, Pki, Secured

OURS = "siaga/v1/12.09"
NOTHING, DELIVERED = "reaches nobody", "is delivered"
_number = itertools.count(1)


class World(NamedTuple):
    """A broker and what the attacker has found: passwords by name, a folder for certificates of theirs."""

    broker: Secured
    pki: Pki
    passwords: dict[str, str]
    folder: Path

    def who(self, name: str | None, password: str | None = None) -> Who:
        return Who(self.broker.port, self.pki.ours_file, name, password or self.passwords.get(name or ""))

    def device(self, name: str, clean: bool = True) -> Client:
        return self.client(self.who(name), name, clean)

    def client(self, who: Who, client_id: str, clean: bool = True) -> Client:
        client = Client(who, client_id, clean=clean)
        said = client.connect()
        assert said == LET_IN, f"{client_id}: {said}"
        return client

    def own(self, certificate: tuple[Path, Path]) -> Who:
        """Our own parts, where they show a certificate besides."""
        return Who(self.broker.port, self.pki.ours_file, SERVICE, PASSWORD, certificate)

    def service(self, *topics: str) -> Client:
        """One of our own parts, which reads these."""
        place = parse_url(self.broker.inside)
        authority = self.pki.ours_file if place.tls else None
        client = Client(Who(place.port, authority, SERVICE, PASSWORD), f"{SERVICE}-{next(_number)}")
        assert client.connect() == LET_IN
        for topic in topics:
            assert client.subscribe(topic) == GRANTED
        return client

    def shown(self, issued: Issued) -> Who:
        """Who comes with this certificate."""
        file = self.folder / f"c{next(_number)}.pem"
        key = file.with_suffix(".key")
        ca.write(issued, file, key)
        return Who(self.broker.certificate_port, self.pki.ours_file, certificate=(file, key))


Attack = Callable[[World], str]


def joins(who: Who, client_id: str) -> str:
    with Client(who, client_id) as client:
        return client.connect()


# -- who gets in -----------------------------------------------------------------------------------


def without_a_name(world: World) -> str:
    return joins(world.who(None), "lamp-1")


def with_a_wrong_password(world: World) -> str:
    return joins(world.who("lamp-1", "wrong"), "lamp-1")


def with_the_password_of_another(world: World) -> str:
    return joins(world.who("lamp-1", world.passwords["lamp-2"]), "lamp-1")


def without_tls(world: World) -> str:
    return joins(world.who("lamp-1")._replace(authority=None), "lamp-1")


def to_a_device_that_believes_another_authority(world: World) -> str:
    """The other way round: somebody in between, whose certificate is of another authority."""
    return joins(
        world.who("lamp-1")._replace(authority=world.pki.ours_file.parents[1] / "other" / ca.CERTIFICATE), "lamp-1"
    )


def with_a_certificate(world: World) -> str:
    """Not an attack: the device itself."""
    return joins(world.shown(world.pki.ours.device("gauge-1", ca.now_utc())), "gauge-1")


def without_a_certificate(world: World) -> str:
    return joins(Who(world.broker.certificate_port, world.pki.ours_file), "gauge-1")


def with_one_of_another_authority(world: World) -> str:
    return joins(world.shown(world.pki.stranger.device("gauge-1", ca.now_utc())), "gauge-1")


def with_one_that_has_expired(world: World) -> str:
    past = ca.now_utc() - timedelta(days=40)
    return joins(world.shown(world.pki.ours.device("gauge-1", past, days=30)), "gauge-1")


def with_one_signed_by_itself(world: World) -> str:
    key, now, name = ca.new_key(), ca.now_utc(), x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "gauge-1")])
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, now + timedelta(1))
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return joins(world.shown(Issued(made.public_bytes(pem), private)), "gauge-1")


def with_that_of_a_server(world: World) -> str:
    return joins(world.shown(world.pki.ours.server(["gauge-1"], ca.now_utc())), "gauge-1")


def with_the_client_id_of_another(world: World) -> str:
    """gauge-2 is connected; gauge-1 comes with its own certificate and gauge-2's client id."""
    two = world.shown(world.pki.ours.device("gauge-2", ca.now_utc()))
    one = world.shown(world.pki.ours.device("gauge-1", ca.now_utc()))
    with world.client(two, "gauge-2") as victim:
        said = joins(one, "gauge-2")
        victim.publish(f"{OURS}/gauge-2/readings")
        return f"{said}, {'who had it is cut off' if victim.is_lost else 'who had it stays'}"


def with_one_whose_device_has_no_credential(world: World) -> str:
    """lamp-x: issued once, and its credential revoked since, or never made."""
    with Client(world.shown(world.pki.ours.device("lamp-x", ca.now_utc())), "lamp-x") as client:
        said = client.connect()
        return said if said != LET_IN else f"{said}, {_published(world, client, f'{OURS}/lamp-x/readings')}"


# -- what a device publishes -----------------------------------------------------------------------


def to_its_own_topics(world: World) -> str:
    """Not an attack."""
    with world.device("lamp-1") as client:
        said = {_published(world, client, f"{OURS}/lamp-1/{what}") for what in ("readings", "status", "command/result")}
    return ", ".join(sorted(said))


def as_another_device(world: World) -> str:
    with world.device("lamp-1") as client:
        return _published(world, client, f"{OURS}/lamp-2/readings")


def under_another_region(world: World) -> str:
    with world.device("lamp-1") as client:
        return _published(world, client, "siaga/v1/12.71/lamp-1/readings")


def the_status_of_another(world: World) -> str:
    with world.device("lamp-1") as client:
        return _published(world, client, f"{OURS}/lamp-2/status", retain=True)


def a_command_to_another(world: World) -> str:
    with world.device("lamp-1") as client:
        return _commanded(world, client, retain=False)


def a_retained_command_to_another(world: World) -> str:
    """Which it would get whenever it connects."""
    with world.device("lamp-1") as client:
        return _commanded(world, client, retain=True)


def a_command_to_itself(world: World) -> str:
    with world.device("lamp-1") as client:
        return _published(world, client, f"{OURS}/lamp-1/command")


def a_will_in_the_name_of_another(world: World) -> str:
    with world.service("siaga/v1/+/+/status") as listener, world.device("lamp-9") as sentinel:
        client = Client(world.who("lamp-1"), "lamp-1", will=f"{OURS}/lamp-2/status")
        said = client.connect()
        client.leave()
        return f"{said}, {_heard(listener, sentinel, f'{OURS}/lamp-2/status', 'status')}"


def a_gateway_for_its_own(world: World) -> str:
    """Not an attack."""
    with world.device("gw-1") as client:
        return ", ".join(
            sorted({_published(world, client, f"{OURS}/{lamp}/readings") for lamp in ("lamp-3", "lamp-4")})
        )


def a_gateway_for_another(world: World) -> str:
    with world.device("gw-1") as client:
        return _published(world, client, f"{OURS}/lamp-1/readings")


def to(topic: str) -> Attack:
    """Publish where the broker itself listens. Nobody: not even who reads that very topic."""

    def attack(world: World) -> str:
        with world.device("lamp-1") as client, world.service() as listener, world.device("lamp-9") as sentinel:
            listener.subscribe(topic)
            assert listener.subscribe("siaga/v1/+/+/status") == GRANTED
            said = client.publish(topic, '{"commands":[{"command":"listClients"}]}')
            return f"{said}, {_heard(listener, sentinel, topic, 'status')}"

    return attack


# -- what a device reads ---------------------------------------------------------------------------


def its_own_commands(world: World) -> str:
    """Not an attack."""
    with world.device("lamp-2") as client, world.service() as service:
        said = client.subscribe(f"{OURS}/lamp-2/command")
        assert service.publish(f"{OURS}/lamp-2/command", "own") == TAKEN
        client.until(lambda: bool(client.heard))
        return f"{said}, {DELIVERED if (f'{OURS}/lamp-2/command', b'own') in client.heard else NOTHING}"


def reads(topic: str) -> Attack:
    def attack(world: World) -> str:
        with world.device("lamp-1") as client:
            return client.subscribe(topic)

    return attack


# -- sessions --------------------------------------------------------------------------------------


def the_session_of_another(world: World) -> str:
    """lamp-2 waits for commands in a kept session; lamp-1 comes with its client id, and a command is sent."""
    return _stolen(world, clean=False)


def the_session_of_another_to_end_it(world: World) -> str:
    """The same, asking for a clean session: what was kept for lamp-2 is thrown away, if that is its to throw."""
    return _stolen(world, clean=True)


def the_session_of_ingest(world: World) -> str:
    """lamp-1 throws away the session of ingest; then lamp-2 sends something, and is told that it was taken."""
    place, name = parse_url(world.broker.inside), "known-ingest"
    own = Who(place.port, world.pki.ours_file if place.tls else None, SERVICE, PASSWORD)
    topic = f"{OURS}/lamp-2/readings"
    with world.client(own, name, clean=False) as ingest:
        assert ingest.subscribe("siaga/v1/+/+/readings") == GRANTED
    with Client(world.who("lamp-1"), name) as thief:
        said = thief.connect()
    with world.device("lamp-2") as device:
        assert device.publish(topic, "acknowledged") == TAKEN
        with world.client(own, name, clean=False) as back:
            assert back.subscribe("siaga/v1/+/+/readings") == GRANTED
            assert device.publish(topic, "after") == TAKEN
            back.until(lambda: (topic, b"after") in back.heard)
            came = (topic, b"acknowledged") in back.heard
    with world.client(own, name):  # nothing is kept for it any more
        return f"{said}, {'nothing is lost' if came else 'what was acknowledged is lost'}"


def _stolen(world: World, clean: bool) -> str:
    victim = world.device("lamp-2", clean=False)
    assert victim.subscribe(f"{OURS}/lamp-2/command") == GRANTED
    thief = Client(world.who("lamp-1"), "lamp-2", clean=clean)
    said = thief.connect()
    if said != LET_IN:
        victim.leave()
        return said
    lost = "who had it is cut off" if victim.until(lambda: victim.is_lost) else "who had it stays"
    with world.service() as service:
        assert service.publish(f"{OURS}/lamp-2/command", "stolen") == TAKEN
        granted = thief.subscribe(f"{OURS}/lamp-1/command") == GRANTED
        assert service.publish(f"{OURS}/lamp-1/command", "marker") == TAKEN
    if granted:
        thief.until(lambda: any(payload == b"marker" for _, payload in thief.heard))
    read = (
        "its command is read" if any(payload == b"stolen" for _, payload in thief.heard) else "its command is not read"
    )
    thief.leave()
    with world.device("lamp-2", clean=False) as back, world.service() as service:
        assert back.subscribe(f"{OURS}/lamp-2/command") == GRANTED
        assert service.publish(f"{OURS}/lamp-2/command", "after") == TAKEN
        back.until(lambda: any(payload == b"after" for _, payload in back.heard))
        came = any(payload == b"stolen" for _, payload in back.heard)
    with world.device("lamp-2"):  # a clean one, so that nothing is left for others
        return f"{said}, {lost}, {read}, {'and comes when it is back' if came else 'and is lost'}"


def _published(world: World, client: Client, topic: str, retain: bool = False) -> str:
    what = topic.rpartition("/")[2]
    with world.service("siaga/v1/+/+/+", "siaga/v1/+/+/command/result") as listener:
        said = client.publish(topic, "an attack", retain)
        with world.device("lamp-9") as sentinel:
            return f"{said}, {_heard(listener, sentinel, topic, 'readings' if what == 'command' else 'status')}"


def _heard(listener: Client, sentinel: Client, topic: str, what: str) -> str:
    """Whether our parts were told it; whoever is told what was sent after it would have been told it before."""
    marker = f"marker {next(_number)}".encode()
    own = f"{OURS}/lamp-9/{what}"
    assert sentinel.publish(own, marker.decode()) == TAKEN
    assert listener.until(lambda: (own, marker) in listener.heard), "the broker delivers nothing any more"
    return DELIVERED if any(each == topic for each, _ in listener.heard) else NOTHING


def _commanded(world: World, client: Client, retain: bool) -> str:
    topic = f"{OURS}/lamp-2/command"
    with world.device("lamp-2") as victim, world.service() as service:
        if retain:
            said = client.publish(topic, "an attack", retain)
            assert victim.subscribe(topic) == GRANTED
        else:
            assert victim.subscribe(topic) == GRANTED
            said = client.publish(topic, "an attack", retain)
        assert service.publish(topic, "marker") == TAKEN
        victim.until(lambda: (topic, b"marker") in victim.heard)
        return f"{said}, {DELIVERED if (topic, b'an attack') in victim.heard else NOTHING}"
