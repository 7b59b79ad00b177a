"""HTTP for every feature: the endpoint decorator, authentication, errors, streaming."""
