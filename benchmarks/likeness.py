"""Is it me, by amount of data, method and sampling? The experiment of record.

    python benchmarks/likeness.py DATASET WORK [--replies 500 2000 0] [--methods lora fine_tune] [--judge MODEL]
    python benchmarks/likeness.py --document WORK FOLDER

DATASET is a Dataset_<ID>_<Name> folder that selfChatBot_preprocess made. For each of ``--replies``, the newest
conversations of its train.jsonl with that many replies (0: all) are trained with the default parameters of the method,
for ``--epochs``. A dataset made with the option `system` gets models and rows of its own, and may share WORK with the
same dataset without it. Each model is evaluated on the test split as `selfChatBot_play -t evaluate` does: with the
default sampling of parameters.json, and with the one chosen on validation after training. Copying is measured against
all of train.jsonl. With ``--judge``, that model reads the replies. WORK keeps models, evaluations and record.jsonl, so
finished work is not repeated. `--document` prints the table of docs/likeness.md and writes likeness-experiment.png into
FOLDER. What readers said of replies is read from WORK/grades.json, by the label of the row in the table:
``{"LoRA, all replies, seed 0; temperature 0.4, ...": [[sense, human], ...]}``, where sense is 0, 1 or 2, and human is 1
if the reader took the reply for a person's.
"""

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import mean
from typing import Any

from learning import MAX_LENGTH, heads, newest

SAMPLINGS: dict[str, dict[str, float]] = {
    "default": {},
    "chosen": {},
    "top_p 0.95": {"temperature": 1.0, "top_p": 0.95},
    "best of two": {"best_of": 2},
    "sharper": {"temperature": 0.8, "top_p": 0.95, "repetition_penalty": 1.1},
}
NAMES = {"lora": "LoRA", "fine_tune": "full"}
RECORD_NAME = "record.jsonl"
GRADES_NAME = "grades.json"
CLASSES = ("laughter", "function_words", "scripts")
MEANS = ("characters", "messages", "distinct_words")
"""Features shown as shares of my mean."""


def main() -> None:
    """Run whatever is not in the record yet, or document the record."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("paths", nargs=2, type=Path, metavar="PATH")
    arguments.add_argument("--document", action="store_true")
    arguments.add_argument("--replies", nargs="*", type=int, default=[500, 2000, 0])
    arguments.add_argument("--methods", nargs="*", choices=("lora", "fine_tune"), default=["lora", "fine_tune"])
    arguments.add_argument("--seeds", nargs="*", type=int, default=[0])
    arguments.add_argument("--epochs", type=float, default=1.0)
    arguments.add_argument("--learning-rate", type=float)
    arguments.add_argument("--contexts", type=int, default=200)
    arguments.add_argument("--judge", help="a hub name, a folder or a .gguf file")
    arguments.add_argument("--sampling", nargs="*", choices=SAMPLINGS, default=["default", "chosen"])
    chosen = arguments.parse_args()
    if chosen.document:
        document(*chosen.paths)
        return
    dataset, work = (path.resolve() for path in chosen.paths)
    system = has_system(dataset)
    for seed in chosen.seeds:
        for replies in chosen.replies:
            for method in chosen.methods:
                rate = "" if chosen.learning_rate is None else f" {chosen.learning_rate:g}"
                name = f"{replies or 'all'} {method} {chosen.epochs:g} {seed}{rate}{' system' if system else ''}"
                model = work / name
                seconds = train(dataset, model, replies, method, chosen.epochs, chosen.learning_rate, seed)
                for sampling in chosen.sampling:
                    of = {"replies": replies, "method": method, "epochs": chosen.epochs, "seed": seed, "system": system}
                    how = {"learning_rate": chosen.learning_rate, "sampling": sampling, "contexts": chosen.contexts}
                    how |= {"judge": Path(chosen.judge).name} if chosen.judge else {}
                    row = of | how
                    if not any(row.items() <= done.items() for done in read(work)):
                        add(
                            work,
                            row | {"training_seconds": seconds} | measured(dataset, work, model, row, chosen.judge),
                        )


def train(
    dataset: Path, model: Path, replies: int, method: str, epochs: float, learning_rate: float | None, seed: int
) -> int:
    """Train and choose the sampling, unless that was done before. Returns the seconds that training took."""
    from selfchatbot.models import quiet
    from selfchatbot.parameters import TrainingParameters
    from selfchatbot.player.tune_sampling import choose_sampling
    from selfchatbot.trainer import Trainer

    quiet()
    taken = model / "seconds"
    if not taken.exists():
        data, output = model / "data", model / "results"
        data.mkdir(parents=True, exist_ok=True)
        lines = newest(dataset / "train.jsonl", replies or 10**9)
        (data / "train.jsonl").write_text("".join(lines), encoding="utf-8")
        (data / "validation.jsonl").write_text("".join(heads(dataset / "validation.jsonl")), encoding="utf-8")
        parameters = TrainingParameters(
            model=json.loads((dataset / "parameters.json").read_text(encoding="utf-8"))["model"],
            type_fine_tune=method,
            max_length=MAX_LENGTH,
            epochs=epochs,
            learning_rate=learning_rate,
            seed=seed,
            evaluations_per_epoch=1,
        )
        start = time.perf_counter()
        Trainer(parameters, data, output).train()
        seconds = time.perf_counter() - start
        choose_sampling(dataset, output, seed, seconds=3600)
        taken.write_text(f"{seconds:.0f}", encoding="utf-8")
    return int(taken.read_text(encoding="utf-8"))


def has_system(dataset: Path) -> bool:
    """Whether conversations begin with a system message, which says who talks to whom."""
    with (dataset / "train.jsonl").open(encoding="utf-8") as file:
        return bool(json.loads(next(file))["messages"][0]["role"] == "system")


def measured(dataset: Path, work: Path, model: Path, row: dict[str, Any], judge: str | None) -> dict[str, Any]:
    """The figures of one evaluation."""
    from selfchatbot.environment import Dataset, Environment
    from selfchatbot.likeness.run.evaluation import evaluate
    from selfchatbot.parameters import GenerationParameters, read_parameters

    results = work / "results" / dataset.name
    results.mkdir(parents=True, exist_ok=True)
    parameters = read_parameters(model / "results" / "parameters.json", GenerationParameters)
    if row["sampling"] != "chosen":
        own = {"model": parameters.model, "max_length": parameters.max_length}
        parameters = GenerationParameters.model_validate(own | SAMPLINGS[row["sampling"]])
    start = time.perf_counter()
    found = evaluate(
        Dataset("0", dataset.name, Environment(dataset.parent, dataset.parent, results.parent)),
        model / "results" / "best",
        parameters,
        contexts=row["contexts"],
        seed=0,
        examples=False,
        judge=judge,
    )
    return {
        "seconds": round(time.perf_counter() - start),
        "temperature": parameters.temperature,
        "top_p": parameters.top_p,
        "repetition_penalty": parameters.repetition_penalty,
        "best_of": parameters.best_of,
        "guidance": parameters.guidance,
        "judge_sees": found.reader.sees if found.reader else None,
        "speakers": {name: figures(found.speakers[name], found.speakers["me"]) for name in found.speakers},
    }


def figures(speaker: Any, me: Any) -> dict[str, Any]:
    """The figures of one speaker in the table."""
    from selfchatbot.likeness.measures.leaks import leaked

    return {
        "auc": [speaker.auc.value, speaker.auc.low, speaker.auc.high] if speaker.auc else None,
        "sense": speaker.sense.value if speaker.sense else None,
        "told_by_judge": speaker.told_by_judge.auc.value if speaker.told_by_judge else None,
        "harm": speaker.harm.total if speaker.harm else None,
        "authorship": speaker.authorship.value if speaker.authorship else None,
        "nats": speaker.prediction.mine.nats_per_token.value if speaker.prediction else None,
        "contacts_nats": speaker.prediction.contacts.nats_per_token.value
        if speaker.prediction and speaker.prediction.contacts
        else None,
        "fitting": speaker.fitting.mean_reciprocal_rank.value if speaker.fitting else None,
        "generated": speaker.fitting.generated.value if speaker.fitting and speaker.fitting.generated else None,
        **{name: speaker.style[name].mean.value / me.style[name].mean.value for name in MEANS},
        "style": sum(near(name, feature, me.style[name]) for name, feature in speaker.style.items()),
        "features": len(speaker.style),
        "verbatim": speaker.copying.verbatim.value if speaker.copying else None,
        "private": leaked(speaker.leaks).total(),
        "faults": speaker.health.faults,
    }


def near(name: str, feature: Any, mine: Any) -> bool:
    """Whether a feature's mean is within 10 % of mine, or its distance within the one that chance makes.

    The mean of classes, such as ways to laugh, doesn't show which ones they are, so only their distance counts.
    """
    is_close = name not in CLASSES and abs(feature.mean.value - mine.mean.value) <= 0.1 * mine.mean.value
    return bool(is_close or feature.distance.value <= mine.distance.high)


def read(work: Path) -> list[dict[str, Any]]:
    """The finished evaluations."""
    path = work / RECORD_NAME
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n")[:-1]] if path.exists() else []


def add(work: Path, row: dict[str, Any]) -> None:
    """Add one to the record."""
    print({name: value for name, value in row.items() if name != "speakers"}, row["speakers"]["model"], flush=True)
    with (work / RECORD_NAME).open("a", encoding="utf-8", newline="\n") as file:
        file.write(json.dumps(row) + "\n")


def document(work: Path, folder: Path) -> None:
    """Print the table, and write likeness-experiment.png."""
    from matplotlib.figure import Figure

    rows = sorted(read(work), key=lambda row: (row["method"], row["replies"] or 10**9, row["sampling"], row["seed"]))
    grades = json.loads((work / GRADES_NAME).read_text(encoding="utf-8")) if (work / GRADES_NAME).exists() else {}
    measures = (
        "sense, taken for a person",
        "judge: sense, told apart",
        "told apart (AUC)",
        "nats",
        "fits: true, own",
        "characters, messages, words",
        "style",
        "copied",
    )
    print(f"| who | {' | '.join(measures)} | private | harm | faults |")
    print("|---|---|---|---|---:|---|---|---:|---:|---:|---:|---:|")
    for name, label in (("me", "you"), ("control", "your contacts"), ("base", "base model, prompted")):
        print(f"| {label} | {' | '.join(cells(rows[-1]['speakers'][name], grades.get(label)))} |")
    for row in rows:
        amount = f"{row['replies']:,}" if row["replies"] else "all"
        rate = f", learning rate {row['learning_rate']:g}" if row["learning_rate"] else ""
        system = ", `system`" if row["system"] else ""
        label = f"{NAMES[row['method']]}, {amount} replies{rate}{system}, seed {row['seed']}; {sampling_of(row)}"
        print(f"| {label} | {' | '.join(cells(row['speakers']['model'], grades.get(label)))} |")
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.add_subplot()
    plain = [row for row in rows if not row["system"] and row["learning_rate"] is None]
    amounts = sorted({row["replies"] or 10**9 for row in plain})
    for number, (method, sampling) in enumerate(sorted({(row["method"], row["sampling"]) for row in plain})):
        points = [
            (amounts.index(row["replies"] or 10**9) + number / 20, *row["speakers"]["model"]["auc"])
            for row in plain
            if (row["method"], row["sampling"]) == (method, sampling)
        ]
        x, values, low, high = zip(*points, strict=True)
        below = [value - end for value, end in zip(values, low, strict=True)]
        above = [end - value for value, end in zip(values, high, strict=True)]
        axes.errorbar(x, values, (below, above), marker="o", capsize=3, label=f"{NAMES[method]}, {sampling}")
    for name, label in (("me", "you"), ("control", "your contacts"), ("base", "base model, prompted")):
        axes.axhline(rows[-1]["speakers"][name]["auc"][0], color="tab:gray", linestyle="--", linewidth=1)
        axes.annotate(label, (0, rows[-1]["speakers"][name]["auc"][0]), fontsize="small")
    axes.set_xticks(range(len(amounts)), ["all" if amount == 10**9 else f"{amount:,}" for amount in amounts])
    axes.set_xlabel("replies trained")
    axes.set_ylabel("told apart from you (AUC; 0.5: a coin)")
    axes.legend(fontsize="small")
    figure.savefig(folder / "likeness-experiment.png", dpi=110)


def sampling_of(row: dict[str, Any]) -> str:
    """How replies were sampled."""
    penalty = "" if row["repetition_penalty"] == 1 else f", penalty {row['repetition_penalty']:g}"
    guidance = f", guidance {row['guidance']:g}" if row.get("guidance") else ""
    how = f" ({row['sampling']})" if row["sampling"] in ("default", "chosen") else ""
    best = f", best_of {row['best_of']}" if row.get("best_of", 1) > 1 else ""  # older rows had no choice
    return f"temperature {row['temperature']:g}, top_p {row['top_p']:g}{guidance}{penalty}{best}{how}"


def cells(figures: dict[str, Any], graded: list[tuple[int, int]] | None) -> Iterator[str]:
    """The cells of one row of the table. Older rows of the record lack what is read with `get`."""
    if graded:
        yield f"{mean(sense for sense, _ in graded) / 2:.2f}, {mean(human for _, human in graded):.2f}"
    else:
        yield "-"
    judged = [figures.get("sense"), figures.get("told_by_judge")]
    yield "-" if judged == [None, None] else ", ".join("-" if one is None else f"{one:.2f}" for one in judged)
    auc = figures["auc"]
    yield f"{auc[0]:.2f} ({auc[1]:.2f}-{auc[2]:.2f})"
    yield "-" if figures["nats"] is None else f"{figures['nats']:.3f}"
    fits = [figures["fitting"], figures["generated"]]
    yield "-" if None in fits else ", ".join(f"{value:.2f}" for value in fits)
    yield ", ".join(f"{figures[name]:.0%}" for name in MEANS)
    yield f"{figures['style']} of {figures['features']}"
    yield "-" if figures["verbatim"] is None else f"{figures['verbatim']:.1%}"
    yield str(figures["private"])
    yield "-" if figures.get("harm") is None else str(figures["harm"])
    yield str(figures["faults"])


if __name__ == "__main__":
    main()
