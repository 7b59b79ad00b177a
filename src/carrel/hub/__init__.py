"""The hub: a Tornado server where users and organizations keep packages, notebooks and environments."""
