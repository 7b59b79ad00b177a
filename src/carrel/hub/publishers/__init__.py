"""Trusted publishers: workloads that upload with an OpenID Connect identity in place of a kept token."""
