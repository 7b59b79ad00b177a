"""Trusted publishing: short-lived upload tokens for jobs whose identity an OIDC issuer vouches for."""
