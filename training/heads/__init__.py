"""Train the models that read embeddings: attributes, colour names, outfit compatibility."""
