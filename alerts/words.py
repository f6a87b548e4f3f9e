"""What people read about an alert: place first, then event; Indonesian is the master, English is complete."""

from __future__ import annotations

from alerts.incident import Group, group_of
from devices.kind import Label

ROSE = Label("{name} naik ke Siaga {siaga}", "{name} rose to Siaga {siaga}")
FELL = Label("{name} turun ke Siaga {siaga}", "{name} fell to Siaga {siaga}")
BACK = Label("{name} kembali ke Siaga {siaga}", "{name} is back at Siaga {siaga}")
NORMAL = 4
# What the four levels are called, and how bad an alert is from 0 to 3.
LEVELS = {4: "Normal", 3: "Waspada", 2: "Siaga", 1: "Awas"}
SEVERITIES = (Label("Rendah", "Low"), Label("Sedang", "Medium"), Label("Tinggi", "High"), Label("Kritis", "Critical"))
MONTHS_ID = ("Jan", "Feb", "Mar", "Apr", "Mei", "Jun", "Jul", "Agu", "Sep", "Okt", "Nov", "Des")
EVENTS = {
    "voltage_low": Label("{name}: tegangan rendah", "{name}: low voltage"),
    "voltage_high": Label("{name}: tegangan tinggi", "{name}: high voltage"),
    "lamp_out": Label("{name}: lampu padam", "{name}: lamp out"),
    "unpowered": Label("{name}: tanpa listrik", "{name}: no mains"),
    "cabinet_no_mains": Label("{name}: tanpa listrik PLN", "{name}: no mains"),
    "cabinet_door": Label("{name}: pintu terbuka", "{name}: door open"),
    "power_shift": Label("{name}: daya menyimpang dari biasanya", "{name}: power is not what it usually is"),
    "energy_shift": Label("{name}: energi semalam menyimpang", "{name}: last night's energy is unusual"),
    "energy_balance": Label(
        "{name}: sebagian energi tidak sampai ke lampu", "{name}: part of the energy does not reach the lamps"
    ),
    "congestion": Label("{name}: macet", "{name}: congestion"),
    "day_burner": Label("{name}: menyala di siang hari", "{name}: lit by day"),
    "low_power": Label("{name}: daya terlalu rendah", "{name}: draws too little power"),
    "high_power": Label("{name}: daya terlalu tinggi", "{name}: draws too much power"),
    "low_power_factor": Label("{name}: faktor daya rendah", "{name}: low power factor"),
    "cycling": Label("{name}: berulang kali nyala-mati", "{name}: keeps switching on and off"),
    "stopped": Label("{name}: lalu lintas berhenti", "{name}: traffic stands still"),
    "loop_fault": Label("{name}: detektor tidak menghitung apa pun", "{name}: detector counts nothing"),
    "sensor_fault": Label("{name}: sensor bermasalah", "{name}: sensor fault"),
    "level_missing": Label("{name}: muka air tidak terukur", "{name}: no water level measured"),
    "stream_silent": Label("Tidak ada data yang masuk", "No data is coming in"),
    "broker_full": Label("Broker MQTT hampir penuh", "The MQTT broker is nearly full"),
    "siaga_2_soon": Label("{name}: diperkirakan mencapai Siaga 2", "{name}: Siaga 2 is expected"),
    "fast_rise": Label("{name} naik cepat", "{name} is rising fast"),
    "stale": Label("{name} berhenti melapor", "{name} stopped reporting"),
    "outage": Label("{name} padam", "{name} is dark"),
    "gateway_silent": Label("{name} berhenti melapor", "{name} stopped reporting"),
}
OTHER = Label("{name}: {rule}", "{name}: {rule}")


# What a group is called before its own name, and what an incident counts.
GROUPINGS = {
    "panel": Label("Panel", "Panel"),
    "feeder": Label("Penyulang", "Feeder"),
    "gateway": Label("Gateway", "Gateway"),
    "river": Label("Sungai", "River"),
    "site": Label("Lokasi", "Site"),
}
LAMPS = Label("{text}: {number} lampu", "{text}: {number} {lamps}")
DEVICES = Label("{text}: {number} perangkat", "{text}: {number} {devices}")


def group_name(group: Group) -> Label:
    """What people call a group of devices."""
    grouping = GROUPINGS.get(group.by, Label(group.by.capitalize(), group.by.capitalize()))
    return Label(f"{grouping.id} {group.name}", f"{grouping.en} {group.name}")


def title(rule: str, name: str, siaga: int | None, eased: bool = False, members: int | None = None) -> Label:
    """The headline of an alert. eased: its severity has been higher than it is now.

    name: of the device, or the subject of a group (alerts/incident.py); members: how many devices an incident has.
    """
    if group := group_of(name):
        text = _of_group(rule, group)
        return text if not members else _counted(rule, text, members)
    if rule == "siaga" and siaga is not None:
        text = BACK if siaga == NORMAL else FELL if eased else ROSE
    else:
        text = EVENTS.get(rule, OTHER)
    words = {"name": name, "rule": rule, "siaga": siaga}
    return Label(text.id.format_map(words), text.en.format_map(words))


def _of_group(rule: str, group: Group) -> Label:
    text, called = EVENTS.get(rule, OTHER), group_name(group)
    return Label(text.id.format(name=called.id, rule=rule), text.en.format(name=called.en, rule=rule))


def _counted(rule: str, text: Label, members: int) -> Label:
    count = LAMPS if rule == "outage" else DEVICES
    one = members == 1
    words = {"number": members, "lamps": "lamp" if one else "lamps", "devices": "device" if one else "devices"}
    return Label(count.id.format(text=text.id, **words), count.en.format(text=text.en, **words))
