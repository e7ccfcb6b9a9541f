"""How the process keeps memory that was freed."""

def keep_freed_memory() -> bool:
    """Keep freed memory for the next array of any thread, blocks of up to 1 GiB; whether the C
    library can. To be called before threads begin.

    The first touch of a page costs more than the work of a kernel on it. A batch frees and takes
    the same sizes over and over, so its peak does not grow. glibc only; elsewhere nothing changes.
    """
