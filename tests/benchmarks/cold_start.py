"""Cold starts, as whole processes: `python tests/benchmarks/cold_start.py [--runs 5]`.

Prints the median of several fresh processes for: an empty interpreter (the floor), `hybridode check` of a small model and of
1,000 equations, and from an empty interpreter to the first gradient of the lynx–hare likelihood.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
LYNX = ROOT / "examples" / "lynx_hare"

FIRST_GRADIENT = """
import hybridode as ho, jax, jax.numpy as jnp
jax.config.update("jax_enable_x64", True)
model = ho.load({model!r})
solve = model.solver(at=jnp.arange(1900.0, 1921.0), gradient={gradient!r})
def loss(params):
    sol = solve(params, start=1900.0)
    return jnp.sum(jnp.log(sol["hare"])**2 + jnp.log(sol["lynx"])**2)
params = model.parameters()
gradient = ({mode})(loss)(params)
print({{name: float(jnp.sum(value)) for name, value in gradient.items()}})
"""


def thousand_equations() -> str:
    """3,001 lines: 1,000 states, parameters and equations."""
    lines = ["model big"]
    for i in range(1000):
        a, b = (i + 1) % 1000, (i + 2) % 1000
        lines += [
            f"param k{i} = 1.5 in (0, 10) log",
            f"state x{i} = {i}",
            f"dx{i}/dt = -k{i}*x{i} + k{a}*x{a}/(1 + x{b}^2) - 0.1*x{i}",
        ]
    return "\n".join(lines) + "\n"


def median_seconds(command: list[str], runs: int) -> tuple[float, float]:
    """Median and smallest wall time of a command that must succeed, after one run that is not counted."""
    seconds = []
    for _ in range(runs + 1):
        start = time.perf_counter()
        done = subprocess.run(command, capture_output=True, text=True)
        seconds.append(time.perf_counter() - start)
        if done.returncode:
            raise SystemExit(f"{' '.join(command)} failed:\n{done.stdout}\n{done.stderr}")
    return statistics.median(seconds[1:]), min(seconds[1:])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    runs = parser.parse_args().runs
    hybridode = str(Path(sys.executable).with_name("hybridode"))
    model = str(LYNX / "lynx_hare.ode")
    with tempfile.TemporaryDirectory() as folder:
        big = Path(folder) / "big.ode"
        big.write_text(thousand_equations())
        rows = [
            ("empty interpreter", [sys.executable, "-c", "pass"], runs),
            ("check, lynx–hare", [hybridode, "check", model], runs),
            ("check, 1,000 equations", [hybridode, "check", str(big)], runs),
        ]
        for gradient, mode in (("forward", "jax.jacfwd"), ("reverse", "jax.grad")):
            script = FIRST_GRADIENT.format(model=model, gradient=gradient, mode=mode)
            rows.append((f"first gradient, {gradient}", [sys.executable, "-c", script], max(1, runs // 2)))
        print("| what | median s | least s |\n|---|---|---|")
        for name, command, count in rows:
            print("| {} | {:.2f} | {:.2f} |".format(name, *median_seconds(command, count)), flush=True)


if __name__ == "__main__":
    main()
