"""Share what many tests need: servers, catalogues, tiny models, pictures."""
