"""Builds the packet kernel with Cython; everything else is in pyproject.toml.

The kernel is plain Python that Cython compiles with bounds checks on. Where there is no C compiler
the build goes on without it (`optional`), and the same code runs uncompiled, with one warning.
"""

from Cython.Build import cythonize
from setuptools import Extension, setup

KERNEL = [
    f"workbench.capture.{name}" for name in ("framing", "link", "decode", "fragments", "table")
]

setup(
    ext_modules=cythonize(
        [
            Extension(
                name, [name.replace(".", "/") + ".py"], optional=True, extra_compile_args=["-O3"]
            )
            for name in KERNEL
        ],
        compiler_directives={
            "language_level": 3,
            "boundscheck": True,
            "wraparound": False,
            "cdivision": True,
            "initializedcheck": False,
        },
        build_dir="build",
    )
)
