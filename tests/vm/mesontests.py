# SPDX-License-Identifier: MIT
"""This module finds tests as the build system knows them: command, environment, time limit."""
import functools
import json
import os
import subprocess

import guest


@functools.lru_cache
def introspect(build):
    return json.loads(subprocess.run(["meson", "introspect", "--tests", build], stdout=subprocess.PIPE, check=True).stdout)


def find(build, suites, names, seconds=None):
    """The tests of some suites, and those with these names: NAME or SUITE:NAME. Exits when there are none."""
    tests, found = [], set()
    for test in introspect(build):
        suite = test["suite"][0].split(":")[-1]
        both = {test["name"], f"{suite}:{test['name']}"}
        if suite in suites or both & set(names):
            found |= both
            limit = seconds or guest.SLOWNESS * (test["timeout"] or 300)
            tests.append(guest.Test(test["name"], test["cmd"], test["env"], limit, os.path.abspath(build)))
    missing = set(names) - found
    if missing or not tests:
        raise SystemExit(f"{build} has no such tests: {' '.join(sorted(missing) or suites)}")
    return tests
