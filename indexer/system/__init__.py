"""Deal with this machine: atomic and checksummed files, locks, threads, sets too large for
memory, timing."""
