"""python -m medcost."""

from medcost.cli import console

console()
