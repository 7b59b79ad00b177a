"""The demonstration: a hub and JupyterLab with sample content, started and ended together (``carrel demo``)."""
