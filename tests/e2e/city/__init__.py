"""The dashboard in a browser, on one simulated city for all files of this folder: one worker has them all
(tests/conftest.py)."""
