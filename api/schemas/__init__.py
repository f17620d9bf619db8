"""Describe what goes over the wire: requests, answers, problems, and their serialisation."""
