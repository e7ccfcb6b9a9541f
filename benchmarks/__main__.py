"""`python -m benchmarks` is the runner of whole processes."""

from benchmarks.measure import main

if __name__ == "__main__":
    main(prog_name="python -m benchmarks")
