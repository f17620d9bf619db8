"""Fill a catalogue from a feed, keep it in step with the feed, and re-embed it with other
models."""
