"""Tokens: minted once, stored as prefix and SHA-256."""
