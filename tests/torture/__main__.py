"""python -m tests.torture --kills N --seed S: exit status 1 when anything was lost or was wrong."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from tests.torture.stories import stories
from tests.torture.story import side_by_side


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.torture", description=__doc__)
    parser.add_argument("--kills", type=int, default=200, help="kills in all (200)")
    parser.add_argument("--seed", type=int, default=1, help="what is done when (1)")
    parser.add_argument("--story", help="only the stories whose name has this in it")
    parser.add_argument("--at-once", type=int, default=4, help="stories side by side (4)")
    parser.add_argument("--folder", type=Path, help="keep configs, states and logs here")
    args = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as made:
        told = stories(args.kills, args.seed, args.folder or Path(made))
        told = [story for story in told if not args.story or args.story in story.plot.name]
        counts = side_by_side(told, args.at_once)
    for count in counts:
        print(count)
    kills, lost = sum(c.kills for c in counts), sum(c.lost for c in counts)
    repeats = sum(c.repeats for c in counts) / max(kills, 1)
    took = time.monotonic() - began
    print(f"{kills} kills in {took:.0f} s: {lost} lost, {repeats:.1f} repeats a kill")
    return 0 if all(count.fine for count in counts) else 1


if __name__ == "__main__":
    sys.exit(main())
