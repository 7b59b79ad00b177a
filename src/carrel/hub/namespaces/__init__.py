"""Namespaces of users and organizations, and their members."""
