"""Patch instructions of channels: changes to records that owners make without new files."""
