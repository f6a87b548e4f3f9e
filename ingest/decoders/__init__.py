"""Decoders of formats that are not ours, one file each; which one reads a topic is configuration (docs/decoders.md).

Pure: bytes in, `devices.payload.Decoded` out, in the fields of the kind. Nothing raises on bad input.
"""
