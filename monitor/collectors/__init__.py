"""Where posts come from: one module a platform, all behind the `Collector` of `base`."""
