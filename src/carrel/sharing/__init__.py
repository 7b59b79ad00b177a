"""What the command and the Jupyter extension share: check, publish and reproduce notebooks."""
