"""Releases: the versions of a package, drafts first, then published."""
