"""The hub about itself: what it is, whether it is well, its API description."""
