"""Collections: named, ordered sets of packages, notebooks and environments of any namespace."""
