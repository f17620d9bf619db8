"""Find the nearest garments, read their rows, and score them exactly."""
