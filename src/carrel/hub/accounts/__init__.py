"""Users, sign-in, sessions, device sign-in."""
