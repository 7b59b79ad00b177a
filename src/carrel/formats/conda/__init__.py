"""conda packages: reading ``.conda`` and ``.tar.bz2``, writing repodata and shards."""
