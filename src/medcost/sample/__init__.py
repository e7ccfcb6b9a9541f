"""A synthetic county hospital consortium's book, for trying medcost and for its tests.

Names, weights and prices are invented; there are no patient identifiers. The package needs only
numpy and pyarrow and knows nothing of the engine.
"""

from medcost.sample.county import SampleTotals, make_sample

__all__ = ["SampleTotals", "make_sample"]
