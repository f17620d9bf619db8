"""How people and programs reach Lapel: the command line now, HTTP and a page next."""
