"""Collections: named sets of packages, notebooks and environments."""
