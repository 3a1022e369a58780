"""bench/run: percept beside its peers, in turns. bench/README.md says how and what."""

import argparse
import fnmatch
import pathlib
import sys

from . import checks, first_prediction, inputs, machine, memory, record, rounds, to_accuracy
from .progress import Progress
from .rows import ROWS
from .settings import BENCH, ISA, Settings
from .worker import KINDS, Worker, WorkerError

SPECIAL = {"start/cnn": first_prediction, "to-96/mlp": to_accuracy, "memory/cnn": memory}


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench/run", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="short slices, two rounds: not to be quoted")
    parser.add_argument("--seconds", type=float, help="length of a slice (default: 1; 0.2 with --quick)")
    parser.add_argument("--rounds", type=int, help="slices of each side (default: 5; 2 with --quick)")
    parser.add_argument("--rows", default="*", metavar="PATTERN", help="rows to measure, as train/cnn/* (default: all)")
    parser.add_argument("--peers", default=",".join(KINDS), metavar="LIST", help="peers, commas between (default: all)")
    parser.add_argument("--isa", choices=ISA, help="keep every library that can be kept to this instruction set")
    parser.add_argument("--threads", type=int, default=2, help="threads and processors of each worker (default: 2)")
    parser.add_argument("--no-checks", action="store_true", help="do not compare what the workers compute")
    parser.add_argument("--list", action="store_true", help="print the rows and stop")
    parser.add_argument("--out", type=pathlib.Path, default=BENCH / "records", help="folder for the record")
    return parser.parse_args()


def begin(names: list[str], settings: Settings, progress: Progress) -> tuple[dict[str, Worker], list[str]]:
    """Starts the workers; those that cannot start are failures."""
    workers, failures = {}, []
    for name in names:
        try:
            workers[name] = Worker(name, settings)
            progress.say(f"{name}: {workers[name].versions['version']}")
        except (WorkerError, OSError) as error:
            failures.append(f"{name} did not start: {error}")
    return workers, failures


def run_checks(rows, workers, settings, progress, failures) -> list[dict]:
    found = []
    for network in dict.fromkeys(row.network for row in rows):
        progress.next(f"check {network}")
        able = {name for row in rows if row.network == network for name in row.peers}
        expected = checks.expect(network, workers["percept"], settings)
        for name in ("percept", *sorted(able & set(workers) - {"percept"})):
            try:
                found += checks.check_worker(workers[name], expected, settings, progress.say)
            except WorkerError as error:
                failures.append(f"check {network}: {error}")
    failures += [f"{c['network']} {c['worker']} {c['form']}: {c['what']} differ by {c['difference']:.1e}, "
                 f"tolerance {c['tolerance']:.0e}" for c in found if not c["ok"]]
    return found


def run_rows(rows, special, workers, settings, progress, failures) -> list[dict]:
    results = []
    for row in rows:
        progress.next(row.name)
        peers = [workers[name] for name in row.peers if name in workers]
        try:
            results.append(rounds.measure(row, workers["percept"], peers, settings, progress.say))
        except WorkerError as error:
            failures.append(f"{row.name}: {error}")
    for name, module in special.items():
        progress.next(name)
        try:
            results.append(module.measure(list(workers), settings, progress.say))
        except (WorkerError, RuntimeError, OSError) as error:
            failures.append(f"{name}: {error}")
    return results


def main() -> int:
    options = arguments()
    rows = [row for row in ROWS if fnmatch.fnmatch(row.name, options.rows)]
    special = {name: module for name, module in SPECIAL.items() if fnmatch.fnmatch(name, options.rows)}
    if options.list:
        print("\n".join([row.name for row in rows] + list(special)))
        return 0
    names = ["percept", *(name for name in options.peers.split(",") if name != "percept")]
    if unknown := set(names) - set(KINDS):
        sys.exit(f"bench/run: no peer {', '.join(sorted(unknown))}; there are {', '.join(KINDS)}")
    if not rows and not special:
        sys.exit(f"bench/run: no row matches {options.rows!r}; --list prints them")
    seconds, round_count = (0.2, 2) if options.quick else (1.0, 5)
    seconds, round_count = options.seconds or seconds, options.rounds or round_count
    settings = Settings(BENCH / ".work", options.threads, options.isa, seconds, round_count)
    settings.folder.mkdir(exist_ok=True)
    networks = {row.network for row in rows} | {"cnn"}
    inputs.prepare(networks, settings)
    checked = [] if options.no_checks else list({row.network for row in rows})
    progress = Progress(len(checked) + len(rows) + len(special))
    workers, failures = begin(names, settings, progress)
    try:
        if "percept" not in workers:
            sys.exit(f"bench/run: {failures[0]}")
        found = run_checks(rows, workers, settings, progress, failures) if checked else []
        results = run_rows(rows, special, workers, settings, progress, failures)
    finally:
        for worker in workers.values():
            worker.end()
    done = {
        "date": record.today(), "machine": machine.describe(),
        "run": {"threads": options.threads, "isa": options.isa, "seconds": seconds, "rounds": round_count},
        "versions": {name: worker.versions["version"] for name, worker in workers.items()},
        "checks": found, "results": results, "failures": failures,
    }
    page = record.write(done, options.out, options.isa)
    print(f"\n{page.read_text()}\nwritten: {page}")
    for failure in failures:
        print(f"FAILED: {failure}", file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
