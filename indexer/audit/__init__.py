"""Compare what the feed says with what its pictures show, and find duplicate pictures."""
