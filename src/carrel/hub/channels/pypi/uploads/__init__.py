"""Uploads of Python distributions."""
