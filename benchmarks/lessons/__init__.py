"""Make the pictures and tables of the pages that teach."""
