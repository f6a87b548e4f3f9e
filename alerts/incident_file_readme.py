"""What an incident file says about itself, in both languages; docs/incident-file.md is longer."""

from __future__ import annotations

INDONESIAN = """\
BERKAS KEJADIAN SIAGA

ringkasan.html   untuk dibaca dan dicetak; waktu menurut jam daerah
summary.json     isi yang sama untuk komputer, ditambah jumlah SHA-256 setiap berkas dan akhir rantainya
readings.csv     semua pembacaan perangkat, dari 6 jam sebelum muncul sampai 2 jam sesudah pulih
neighbours.csv   rangkuman perangkat di sekitarnya: pos hulu, sungai, panel, atau lokasi yang sama
rule.json        aturan yang berlaku saat muncul, versinya, dan perubahannya; data perangkat (batas siaga)
transitions.csv  setiap kejadian: apa, siapa, mengapa, waktu kejadian dan waktu diketahui
notices.csv      pemberitahuan: kepada siapa, melalui apa, dan hasilnya
forecasts.csv    prakiraan dan hasilnya
map.geojson, map.svg   letak perangkat dan kecamatannya
SHA256SUMS       periksa dengan: sha256sum --check SHA256SUMS

Waktu dalam CSV dan JSON adalah UTC. qc: 1 baik, 2 belum dinilai, 3 meragukan, 4 gagal, 9 kosong; hanya 1 dan 2 yang
dapat memunculkan atau memulihkan peringatan. Berkas yang terlalu besar dipotong, dan baris terakhirnya mengatakan itu.
Peringatan dapat dibuat ulang dari berkas ini: siaga alerts check BERKAS.zip
"""

ENGLISH = """\
SIAGA INCIDENT FILE

ringkasan.html   to read and to print, in Indonesian; times by the regency's clock
summary.json     the same for programs, with the SHA-256 of every file and the end of their chain
readings.csv     every reading of the devices, from 6 h before raising to 2 h after clearing
neighbours.csv   rollups of devices around: the gauge upstream, the same river, panel or site
rule.json        the rule in force when it was raised, its version and its changes; the devices, with their bounds
transitions.csv  every event: what, who, why, when it was and when it was noticed
notices.csv      messages: to whom, by which channel, and what became of them
forecasts.csv    forecasts, and what became of them
map.geojson, map.svg   where the devices and their districts are
SHA256SUMS       check with: sha256sum --check SHA256SUMS

Times in CSV and JSON are UTC. qc: 1 good, 2 not evaluated, 3 suspect, 4 fail, 9 missing; only 1 and 2 raise or clear.
A file that would be too large is cut, and its last line says so.
The alert can be re-created from this file: siaga alerts check FILE.zip
The chain: begin with 64 zeros; for each file in the order of SHA256SUMS up to map.svg take the SHA-256 of
"CHAIN DIGEST NAME" and a newline, where CHAIN is what the file before gave.
"""
