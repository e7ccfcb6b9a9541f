"""The consortium: shared cost, the capital pool, funds, equipment and consolidated statements."""
