"""Write messages, tables and progress to the terminal."""
