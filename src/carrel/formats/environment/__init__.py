"""Environments: locks and specifications in the standard files."""
