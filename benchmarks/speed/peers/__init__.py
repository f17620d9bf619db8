"""Run other programs beside Lapel: their environments, what they are timed on, and the timing."""
