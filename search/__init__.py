"""A described garment becomes ranked hits."""
