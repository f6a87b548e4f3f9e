"""Ingest beside what else takes readings from a broker into a table, a file each."""
