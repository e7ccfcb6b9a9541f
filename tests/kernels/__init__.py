"""Every kernel against its slow twin, and the ways an array can be wrong."""
