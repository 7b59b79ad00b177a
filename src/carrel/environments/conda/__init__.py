"""The conda half of the engine: a worker process around py-rattler, and the side that talks to it."""
