"""Hold what one server's requests share: catalogues, inference, jobs, keys, limits, metrics."""
