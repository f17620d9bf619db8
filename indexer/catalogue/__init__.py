"""Write SQL and vectors together, and bring the vectors in line with SQL."""
