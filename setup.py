"""Builds the packet kernel with Cython; everything else is in pyproject.toml.

The kernel is plain Python that Cython compiles with bounds checks on. Where there is no C compiler
the build goes on without it, and the same code runs uncompiled: slower, with the same results.
"""

import sys

from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

KERNEL = (
    *("framing", "plain", "wrapper", "link", "wifi", "decode", "evidence", "radio", "tunnel"),
    *("underlay", "fragments", "deal", "table", "tally"),
)


class BuildIfPossible(build_ext):
    """Goes on where compiling fails (`optional` would, but cythonize forgets it)."""

    def build_extension(self, ext: Extension) -> None:
        ext.optional = True  # nor is a missing file an error where it is copied in place
        try:
            super().build_extension(ext)
        except Exception as error:  # no compiler, no headers, a full disk: all the same here
            print(f"warning: {ext.name} stays uncompiled: {error}", file=sys.stderr)


setup(
    cmdclass={"build_ext": BuildIfPossible},
    ext_modules=cythonize(
        [
            Extension(
                f"workbench.capture.{name}",
                [f"workbench/capture/{name}.py"],
                extra_compile_args=["-O3", "-g0"],
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
    ),
)
