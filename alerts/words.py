"""What people read about an alert: place first, then event; Indonesian is the master, English is complete."""

from __future__ import annotations

from devices.kind import Label

ROSE = Label("{name} naik ke Siaga {siaga}", "{name} rose to Siaga {siaga}")
FELL = Label("{name} turun ke Siaga {siaga}", "{name} fell to Siaga {siaga}")
BACK = Label("{name} kembali ke Siaga {siaga}", "{name} is back at Siaga {siaga}")
NORMAL = 4
EVENTS = {
    "voltage_low": Label("{name}: tegangan rendah", "{name}: low voltage"),
    "voltage_high": Label("{name}: tegangan tinggi", "{name}: high voltage"),
    "lamp_out": Label("{name}: lampu padam", "{name}: lamp out"),
    "unpowered": Label("{name}: tanpa listrik", "{name}: no mains"),
    "congestion": Label("{name}: macet", "{name}: congestion"),
    "day_burner": Label("{name}: menyala di siang hari", "{name}: lit by day"),
    "low_power": Label("{name}: daya terlalu rendah", "{name}: draws too little power"),
    "high_power": Label("{name}: daya terlalu tinggi", "{name}: draws too much power"),
    "low_power_factor": Label("{name}: faktor daya rendah", "{name}: low power factor"),
    "stream_silent": Label("Tidak ada data yang masuk", "No data is coming in"),
    "broker_full": Label("Broker MQTT hampir penuh", "The MQTT broker is nearly full"),
    "siaga_2_soon": Label("{name}: diperkirakan mencapai Siaga 2", "{name}: Siaga 2 is expected"),
    "fast_rise": Label("{name} naik cepat", "{name} is rising fast"),
    "stale": Label("{name} berhenti melapor", "{name} stopped reporting"),
}
OTHER = Label("{name}: {rule}", "{name}: {rule}")


def title(rule: str, name: str, siaga: int | None, eased: bool = False) -> Label:
    """The headline of an alert. eased: its severity has been higher than it is now."""
    if rule == "siaga" and siaga is not None:
        text = BACK if siaga == NORMAL else FELL if eased else ROSE
    else:
        text = EVENTS.get(rule, OTHER)
    words = {"name": name, "rule": rule, "siaga": siaga}
    return Label(text.id.format_map(words), text.en.format_map(words))
