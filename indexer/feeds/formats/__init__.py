"""Read one shop export format per module into item records."""
