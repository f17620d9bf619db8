"""Keep what one server shares between requests: catalogues, inference, jobs, keys, limits,
metrics."""
