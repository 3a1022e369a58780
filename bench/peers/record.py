"""A run's results as JSON and as a page of Markdown."""

import datetime
import json
import pathlib

from .machine import slug

COLUMNS = "| row | unit | percept | best peer | its form | peer | ratio | spread of the ratio |"


def number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:,.1f}" if value >= 10 else f"{value:.2f}"


def best_line(result: dict) -> str:
    best = result["pairings"][0]
    ratio = best["ratio"]
    cells = [result["row"], result["unit"], number(best["percept"]["median"]), best["peer"], best["form"],
             number(best["value"]["median"]), f"**{ratio['median']:.2f}**",
             f"{ratio['low']:.2f} to {ratio['high']:.2f}"]
    return f"| {' | '.join(cells)} |"


def pairing_lines(result: dict) -> list[str]:
    lines = []
    for pairing in result["pairings"]:
        cells = [result["row"], pairing["peer"], pairing["form"], pairing["percept_form"]]
        for side in ("value", "percept"):
            values = pairing[side]
            cells.append(f"{number(values['median'])} ({number(values['low'])} to {number(values['high'])})")
        cells.append(f"{pairing['ratio']['median']:.2f}")
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def calibrated_lines(results: list[dict]) -> list[str]:
    return [f"| {result['row']} | {c['peer']} | {c['form']} | {number(c['value'])} |"
            for result in results for c in result["calibrated"]]


def check_lines(checks: list[dict]) -> list[str]:
    """The largest difference of each worker and network."""
    lines = []
    for key in dict.fromkeys((c["network"], c["worker"], c["what"], c["form"].split()[0]) for c in checks):
        same = [c for c in checks if (c["network"], c["worker"], c["what"], c["form"].split()[0]) == key]
        worst = max(same, key=lambda c: c["difference"])
        mark = "" if all(c["ok"] for c in same) else " **too much**"
        lines.append(f"| {' | '.join(key)} | {worst['difference']:.1e}{mark} | {worst['tolerance']:.0e} |")
    return lines


def markdown(record: dict) -> str:
    machine, run = record["machine"], record["run"]
    measured = [result for result in record["results"] if result["pairings"]]
    lines = [
        f"# percept beside its peers, {record['date']}", "",
        f"- machine: {machine['cpu']} (family {machine['family']}, model {machine['model']}), "
        f"{machine['cores']} cores, "
        f"{machine['memory_gib']} GiB, {machine['system']} {machine['kernel']}",
        f"- instruction sets: {', '.join(machine['flags'])}",
        f"- commit: {machine['commit']}; threads: {run['threads']}; instruction set asked for: {run['isa'] or 'none'}",
        f"- {run['rounds']} rounds of slices of {run['seconds']} s, percept and the peer in turn; medians; "
        "a ratio is the median of the rounds' ratios, above 1 where percept is better",
        *(f"- {name}: {version}" for name, version in record["versions"].items()), "",
        "## percept against the best peer of each row", "", COLUMNS, "|---" * 8 + "|",
        *map(best_line, measured), "",
        "## Every pairing", "",
        "| row | peer | form | percept's form | peer, median (lowest to highest) | percept | ratio |", "|---" * 7 + "|",
        *(line for result in measured for line in pairing_lines(result)), "",
        "## Every form, calibrated only (one slice, not interleaved)", "",
        "| row | peer | form | value |", "|---" * 4 + "|",
        *calibrated_lines(record["results"]), "",
        "## Do they compute the same?", "",
        "Largest difference from percept in fp32: of log-probabilities of 128 images, relative to the greatest where that is above 1; of 20 steps' losses, relative.",
        "",
        "| network | worker | what | precision | largest difference | tolerance |", "|---" * 6 + "|",
        *check_lines(record["checks"]), "",
    ]
    if record["failures"]:
        lines += ["## Failures", "", *(f"- {failure}" for failure in record["failures"]), ""]
    return "\n".join(lines)


def write(record: dict, folder: pathlib.Path, isa: str | None) -> pathlib.Path:
    """Writes `<date>-<cpu>[-<isa>].json` and `.md`; returns the latter's path."""
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{record['date']}-{slug(record['machine'])}" + (f"-{isa}" if isa else "")
    (folder / f"{name}.json").write_text(json.dumps(record, indent=1) + "\n")
    page = folder / f"{name}.md"
    page.write_text(markdown(record))
    return page


def today() -> str:
    return datetime.date.today().isoformat()
