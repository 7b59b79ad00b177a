"""Search over all sources at once, each within its own time limit."""
