"""Find and read the training sets, with their splits."""
