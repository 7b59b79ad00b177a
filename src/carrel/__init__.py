"""Carrel: a self-hosted home for notebooks, environments and packages.

This module stays import-light: JupyterLab imports it to find the front end, every command line start pays for it.
"""

from __future__ import annotations

__version__ = "0.1.0"


def _jupyter_labextension_paths() -> list[dict[str, str]]:
    return [{"src": "../../labextension/dist", "dest": "@carrel/labextension"}]


def _jupyter_server_extension_points() -> list[dict[str, object]]:
    from carrel.extension.app import CarrelExtension

    return [{"module": "carrel.extension.app", "app": CarrelExtension}]
