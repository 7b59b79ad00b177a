"""Labels of a namespace."""
