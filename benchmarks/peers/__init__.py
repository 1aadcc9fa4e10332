"""The others, each made ready by a context manager that gives a Contender."""
