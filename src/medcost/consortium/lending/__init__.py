"""The capital pool: lending between members over months and scenarios."""
