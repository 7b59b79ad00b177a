"""R packages: source and binary archives, and the indexes that R reads."""
