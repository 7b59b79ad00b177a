"""Collections as channels: what they hold, of several namespaces, at addresses that installers read."""
