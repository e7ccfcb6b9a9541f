"""The same costing in other engines, each a program: BOOK POOLS OUT [THREADS]."""
