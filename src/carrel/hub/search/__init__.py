"""Search over names, summaries, import names and notebook text."""
