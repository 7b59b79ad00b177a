"""The ``carrel`` command."""
