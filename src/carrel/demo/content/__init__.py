"""Sample content: packages, notebooks, a data file."""
