"""The vocabulary of the project, with the standard library alone: names, kinds, digests, scopes, errors, units, clock."""
