"""R repositories: ``PACKAGES`` in its three forms, archives of older versions, binary trees, uploads."""
