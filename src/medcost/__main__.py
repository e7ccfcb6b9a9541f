"""python -m medcost."""

from medcost.cli import main

main()
