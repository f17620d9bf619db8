"""Let people and programs reach Lapel: the command line, HTTP, and a page."""
