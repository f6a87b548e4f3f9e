"""The stage: places, streets and gauge sites of Kabupaten Asahan (12.09) on which the invented city stands.

Codes and centroids of kecamatan: Kepmendagri 300.2.2-2430/2025 (github cahyadsn/wilayah, MIT). Street and gauge
positions are plausible, not surveyed. Thresholds are examples: no official siaga table of these rivers is published.
"""

from __future__ import annotations

from typing import NamedTuple

REGION = "12.09"
CENTRE = (2.98, 99.63)  # Kisaran: the sun and the weather are computed here
AUTHORITY = "contoh, bukan ambang resmi"
DATUM = "nol papan duga setempat (contoh)"
VALID_FROM = "2026-01-01"


class Kecamatan(NamedTuple):
    """lat, lon: centroid. town: where its lamps stand. share: its weight when panels are given out."""

    code: str
    name: str
    lat: float
    lon: float
    town: tuple[float, float]
    share: float


KECAMATAN = (
    Kecamatan("12.09.19", "Kota Kisaran Barat", 2.9943, 99.6001, (2.9910, 99.6120), 6.0),
    Kecamatan("12.09.20", "Kota Kisaran Timur", 2.9860, 99.6446, (2.9862, 99.6370), 5.0),
    Kecamatan("12.09.10", "Tanjung Balai", 3.0366, 99.8146, (3.0330, 99.8100), 3.2),
    Kecamatan("12.09.16", "Buntu Pane", 2.8615, 99.4860, (2.8620, 99.4860), 3.1),
    Kecamatan("12.09.12", "Simpang Empat", 2.9014, 99.7468, (2.9050, 99.7620), 2.9),
    Kecamatan("12.09.14", "Pulau Rakyat", 2.7400, 99.7020, (2.7400, 99.7000), 2.8),
    Kecamatan("12.09.13", "Air Batu", 2.8626, 99.6238, (2.8620, 99.6250), 2.0),
    Kecamatan("12.09.09", "Air Joman", 3.0082, 99.7159, (3.0080, 99.7160), 1.9),
    Kecamatan("12.09.08", "Meranti", 3.0854, 99.6234, (3.0850, 99.6220), 1.8),
    Kecamatan("12.09.26", "Tinggi Raja", 2.8328, 99.5379, (2.8330, 99.5380), 1.4),
    Kecamatan("12.09.23", "Sei Dadap", 2.9423, 99.6467, (2.9400, 99.6450), 1.3),
    Kecamatan("12.09.29", "Rawang Panca Arga", 3.0658, 99.6614, (3.0600, 99.6600), 1.2),
    Kecamatan("12.09.21", "Aek Songsongan", 2.6051, 99.4429, (2.6200, 99.4200), 1.1),
    Kecamatan("12.09.30", "Pulo Bandring", 2.9907, 99.5576, (2.9900, 99.5600), 1.0),
    Kecamatan("12.09.28", "Silau Laut", 3.0922, 99.7393, (3.0900, 99.7400), 1.0),
    Kecamatan("12.09.27", "Setia Janji", 2.9389, 99.4932, (2.9300, 99.5200), 0.9),
    Kecamatan("12.09.31", "Teluk Dalam", 2.8108, 99.6695, (2.8100, 99.6600), 0.9),
    Kecamatan("12.09.18", "Aek Kuasan", 2.6671, 99.6972, (2.6800, 99.6970), 0.8),
    Kecamatan("12.09.32", "Aek Ledong", 2.6115, 99.6445, (2.6120, 99.6480), 0.8),
    Kecamatan("12.09.15", "Bandar Pulau", 2.6513, 99.3595, (2.6450, 99.3650), 0.8),
    Kecamatan("12.09.22", "Rahuning", 2.7307, 99.5206, (2.7300, 99.5200), 0.7),
    Kecamatan("12.09.17", "Bandar Pasir Mandoge", 2.7343, 99.2613, (2.7400, 99.2800), 0.7),
    Kecamatan("12.09.24", "Sei Kepayang Barat", 2.9568, 99.8546, (2.9570, 99.8540), 0.6),
    Kecamatan("12.09.11", "Sei Kepayang", 2.8452, 99.8714, (2.8600, 99.8600), 0.6),
    Kecamatan("12.09.25", "Sei Kepayang Timur", 2.9589, 99.9229, (2.9590, 99.9200), 0.5),
)


class GaugeSite(NamedTuple):
    """bounds: siaga 3, 2, 1 in m above station datum. sensor_m: height of the radar above datum; None sends levels."""

    key: str
    name: str
    river: str
    district: str
    lat: float
    lon: float
    bounds: tuple[float, float, float]
    sensor_m: float | None


# In the order in which a small fleet takes them.
GAUGES = (
    GaugeSite("buntu-pane", "Silau di Buntu Pane", "Silau", "12.09.16", 2.861, 99.486, (2.0, 2.8, 3.6), 8.0),
    GaugeSite("kisaran-barat", "Silau di Kisaran Barat", "Silau", "12.09.19", 2.968, 99.628, (2.5, 3.2, 4.0), 9.0),
    GaugeSite("tinggi-raja", "Piasa di Tinggi Raja", "Piasa", "12.09.26", 2.833, 99.538, (1.8, 2.4, 3.0), 7.0),
    GaugeSite("bagan-asahan", "Muara di Bagan Asahan", "Muara", "12.09.10", 3.030, 99.845, (3.4, 3.8, 4.2), None),
    GaugeSite("simpang-empat", "Asahan di Simpang Empat", "Asahan", "12.09.12", 2.905, 99.762, (2.2, 2.8, 3.4), 8.0),
    GaugeSite("pulau-rakyat", "Asahan di Pulau Rakyat", "Asahan", "12.09.14", 2.735, 99.700, (3.5, 4.2, 5.0), 10.0),
    GaugeSite("bandar-pulau", "Asahan di Bandar Pulau", "Asahan", "12.09.15", 2.630, 99.372, (3.0, 3.8, 4.6), None),
)


class Street(NamedTuple):
    """demand: flow wanted at the evening peak as a share of capacity. Above 1 a queue forms.

    bottleneck: what the crossing ahead lets through while a queue stands, as a share of the lane's capacity.
    """

    key: str
    name: str
    lat: float
    lon: float
    free_flow_kmh: float
    demand: float
    bottleneck: float


STREETS = (
    Street("imam-bonjol", "Jl. Imam Bonjol", 2.9871, 99.6216, 38, 1.04, 0.70),
    Street("cokroaminoto", "Jl. Cokroaminoto", 2.9846, 99.6247, 40, 0.98, 0.78),
    Street("diponegoro", "Jl. Diponegoro", 2.9893, 99.6182, 40, 0.78, 0.80),
    Street("sisingamangaraja", "Jl. Sisingamangaraja", 2.9826, 99.6301, 42, 0.84, 0.80),
    Street("ahmad-yani", "Jl. Ahmad Yani", 2.9915, 99.6148, 42, 0.66, 0.85),
    Street("sutomo", "Jl. Sutomo", 2.9858, 99.6190, 38, 0.60, 0.85),
    Street("panglima-polem", "Jl. Panglima Polem", 2.9880, 99.6258, 40, 0.52, 0.85),
    Street("lintas-sumatera-152", "Jl. Lintas Sumatera km 152", 2.9640, 99.6320, 58, 0.70, 0.90),
    Street("lintas-sumatera-168", "Jl. Lintas Sumatera km 168", 2.8622, 99.6253, 60, 0.55, 0.90),
    Street("simpang-empat", "Jl. Simpang Empat", 2.9040, 99.7610, 48, 0.50, 0.90),
    Street("air-joman", "Jl. Air Joman", 3.0075, 99.7150, 44, 0.35, 0.90),
    Street("buntu-pane", "Jl. Buntu Pane", 2.8630, 99.4880, 48, 0.20, 0.90),
    Street("pulau-rakyat", "Jl. Pulau Rakyat", 2.7412, 99.7003, 48, 0.28, 0.90),
    Street("tanjung-balai", "Jl. Bagan Asahan", 3.0320, 99.8090, 46, 0.32, 0.90),
)


def nearest_district(lat: float, lon: float) -> str:
    """Code of the kecamatan whose centroid is nearest."""
    return min(KECAMATAN, key=lambda k: (k.lat - lat) ** 2 + (k.lon - lon) ** 2).code
