"""Rendering of notebooks, sanitized."""
