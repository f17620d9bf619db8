"""Measure speed and memory of single parts and whole commands, beside other programs."""
