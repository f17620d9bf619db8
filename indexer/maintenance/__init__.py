"""Check, back up and restore a home."""
