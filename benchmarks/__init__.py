"""Speed and quality, measured: one module prints one table."""
