"""Text out of files, in a process of its own: the program, and what starts it."""
