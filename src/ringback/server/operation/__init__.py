"""What an operator does with a server that runs, and sees of it."""
