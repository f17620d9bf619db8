"""Describe photos on the workers of a Ray cluster."""
