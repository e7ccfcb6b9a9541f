"""What holds for every book."""
