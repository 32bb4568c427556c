"""Small real servers on loopback that answer as platforms, hubs and receivers do, and programs that tests run as processes."""
