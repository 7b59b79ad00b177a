"""What tests and the demonstration need: real conda channels, servers on free ports, a pytest plugin."""
