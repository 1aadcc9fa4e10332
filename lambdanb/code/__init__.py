"""Functions' code on disk: the store of code folders, and deployment packages on their way into it."""
