"""The commands, one module for each group of them; cli imports the one that is asked for."""
