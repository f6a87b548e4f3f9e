-- What the checks of quality remember of each device: numbers of eight bytes, laid out by its kind (devices/checks_memory.py).
ALTER TABLE latest ADD COLUMN checks bytea;
