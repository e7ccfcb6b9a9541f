"""Kernels: typed arrays in, arrays out. No names, no files, no Python objects in loops."""
