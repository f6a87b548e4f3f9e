"""Hypothesis as this suite wants it: few examples, and nothing that depends on how busy the machine is."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

settings.register_profile("siaga", max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("siaga")
