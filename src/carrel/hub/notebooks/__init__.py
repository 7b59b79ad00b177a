"""Notebooks shown to readers: untrusted documents rendered to inert HTML, kept by content digest."""
