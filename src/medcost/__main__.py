"""python -m medcost."""

from medcost.program import console

console()
