"""The Jupyter Server extension: packages of a kernel's environment, publishing, reproducing, signing in."""
