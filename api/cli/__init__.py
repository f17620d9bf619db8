"""Define the commands of `lapel`, one module a group."""
