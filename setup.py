"""The list of kernels, nothing else.

MEDCOST_CHECKED=1 builds them with bounds checks, MEDCOST_OPTIMISE=-O1 for a sanitizer.
"""

import os

import numpy
from Cython.Build import cythonize
from setuptools import Extension, setup

KERNELS = [
    "split",
    "sums",
    "step_down",
    "residual",
    "case_cost",
    "key_table",
    "labels",
    "net_lines",
    "part_costs",
    "group_cells",
    "fixed_point",
    "memory",
    "sha256",
    "page_headers",
    "footers",
    "plain_values",
    "text_hashes",
    "zstd_frames",
    "pages",
]
CHECKED = os.environ.get("MEDCOST_CHECKED") == "1"
OPTIMISE = os.environ.get("MEDCOST_OPTIMISE", "-O2" if CHECKED else "-O3")

setup(
    ext_modules=cythonize(
        [
            Extension(
                f"medcost._core.{name}",
                [f"src/medcost/_core/{name}.pyx"],
                include_dirs=[numpy.get_include()],
                extra_compile_args=[OPTIMISE],
            )
            for name in KERNELS
        ],
        build_dir="build/checked" if CHECKED else "build/cython",
        compiler_directives={
            "language_level": 3,
            "boundscheck": CHECKED,
            "wraparound": False,
            "initializedcheck": CHECKED,
            "cdivision": True,
            "autotestdict": False,
        },
        force=CHECKED,
    )
)
