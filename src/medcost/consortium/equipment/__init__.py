"""Shared equipment: which site opens which device, who is examined where, and who pays for it."""
