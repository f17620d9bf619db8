"""Train, evaluate and document the image and text encoder."""
