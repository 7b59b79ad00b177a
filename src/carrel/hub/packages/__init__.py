"""Packages, releases, files: upload, download, listing."""
