"""What Serve's own processes don't load."""

import subprocess
import sys

SERVE = """
import sys
from cluster.lean import keep_serve_lean
keep_serve_lean()
from ray import serve
import ray.serve._private.controller, ray.serve._private.haproxy, ray.serve._private.proxy
print(sorted({"pandas", "dateutil"} & set(sys.modules)))
import pandas
print(pandas.DataFrame({"mark": [70]})["mark"].sum())
"""


def test_serve_comes_without_pandas_and_others_have_it() -> None:
    """Serve's modules load without pandas where we ask for that, and pandas loads all the same for who wants it."""
    done = subprocess.run([sys.executable, "-c", SERVE], capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout.split() == ["[]", "70"], done.stderr
