"""Tell how good a model's features are, without training the model.

  vitreous probe runs/pretrained photos/
  vitreous probe B_16.npz photos.tar --few_shot 1,5,10,25 --seeds 5
  vitreous probe runs/pretrained photos/ --linear --json -

MODEL is a run folder or a checkpoint of any known family; it needs no head. DATA's train part is
learnt from, its test (or else its validation) part measured on; where there is one part only, a
stratified fifth is measured on. Without --few_shot, --neighbours or --linear, all three are done.

few-shot: least squares to targets of 1 and -1 on a few images a class, as in the paper, its spread
over draws. neighbours: the weighted vote of the k nearest by cosine. linear: logistic regression,
its penalty chosen on held-out training images.
"""

import sys
from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING, Any

from vitreous.cli.data_options import add_data_arguments, data_options
from vitreous.cli.output import add_json_argument, write_json
from vitreous.errors import UserError

if TYPE_CHECKING:
    from vitreous.data.sample import Dataset

_SHOTS, _NEIGHBOURS = (1, 5, 10, 25), 20


def add_arguments(parser: ArgumentParser) -> None:
    """The verb's options."""
    parser.add_argument("model", metavar="MODEL", help="run folder or checkpoint")
    parser.add_argument(
        "data", metavar="DATA", nargs="?", help="the data set; the run's own if not given"
    )
    parser.add_argument(
        "--few_shot",
        metavar="SHOTS",
        help="images a class, such as 1,5,10,25; or none for those that the data has",
        nargs="?",
        const="",
    )
    parser.add_argument("--seeds", metavar="INT", type=int, default=3, help="draws of few-shot")
    parser.add_argument(
        "--l2", metavar="NUMBER", type=float, default=1024.0, help="penalty of few-shot"
    )
    parser.add_argument(
        "--neighbours", metavar="INT", type=int, nargs="?", const=_NEIGHBOURS, help="how many vote"
    )
    parser.add_argument("--linear", action="store_true", help="the linear probe")
    parser.add_argument(
        "--pool",
        metavar="NAME",
        default="head",
        help="features: head: what the head reads (default); token: the class token; mean: of the "
        "patches",
    )
    parser.add_argument("--batch_size", metavar="INT", type=int, default=64, help="images at once")
    parser.add_argument("--device", metavar="NAME", default="auto", help="auto, cpu or cuda")
    parser.add_argument(
        "--precision", metavar="NAME", default="float32", help="float32 (exact), bfloat16 or auto"
    )
    add_data_arguments(parser)
    add_json_argument(parser)


def run(arguments: Namespace) -> int:
    """Load, run the model over the images that are needed, learn, measure, print."""
    results = _measure(arguments)
    if not write_json(arguments.json, results):
        _print(results)
    for name, reason in results["skipped"].items():
        print(f"vitreous: cannot read {name}: {reason}", file=sys.stderr)
    return 0


def _measure(arguments: Namespace) -> dict[str, Any]:
    from vitreous.data.recoloured import in_channels_of
    from vitreous.data.sample import require_one_label
    from vitreous.evaluate.embed import Features
    from vitreous.evaluate.probe import probe
    from vitreous.parallel.device import choose_engine
    from vitreous.weights.load import load
    from vitreous.weights.passport import passport_of

    for name in ("batch_size", "seeds", "neighbours"):
        if (count := getattr(arguments, name)) is not None and count < 1:
            raise UserError(f"--{name} is {count}: give at least 1")
    if not arguments.l2 > 0:
        raise UserError(f"--l2 is {arguments.l2}: give a number over 0")
    if arguments.pool not in ("head", "token", "mean"):
        raise UserError(f"--pool is {arguments.pool}: choose head, token or mean")
    asked = (arguments.few_shot is not None, arguments.neighbours is not None, arguments.linear)
    by_shots, by_neighbours, by_line = asked if any(asked) else (True, True, True)
    engine = choose_engine(arguments.device, arguments.precision)
    model = load(arguments.model)
    dataset, part = _open(arguments)
    require_one_label(dataset, "probing")
    dataset = in_channels_of(passport_of(model).preprocessing, dataset)
    most = len(dataset.parts["train"].labels)
    neighbours = arguments.neighbours or min(_NEIGHBOURS, most)
    return probe(
        model,
        dataset,
        part,
        engine,
        shots=_shots(arguments.few_shot, dataset) if by_shots else (),
        seeds=arguments.seeds,
        l2=arguments.l2,
        neighbours=neighbours if by_neighbours else None,
        linear=by_line,
        features=Features(pool=arguments.pool),
        batch_size=arguments.batch_size,
    )


def _open(arguments: Namespace) -> "tuple[Dataset, str]":
    """The data with a train part, and the name of the part to measure on."""
    from vitreous.cli.part import open_part
    from vitreous.data.split import with_validation
    from vitreous.train.run_folder import RunFolder

    run = RunFolder.of_model(arguments.model)
    dataset, _ = open_part(arguments.data, run, None, data_options(arguments))
    if "train" not in dataset.parts:
        raise UserError(f"{dataset.address} has no train part to learn from: give other data")
    if len(dataset.parts) == 1:
        dataset = with_validation(dataset)
    return dataset, "test" if "test" in dataset.parts else "validation"


def _shots(typed: str | None, dataset: "Dataset") -> tuple[int, ...]:
    """As typed, or those of the paper's later code that every class has images for.

    Where some class has none, and few-shot was not asked for, it is left out aloud.
    """
    import numpy as np

    if typed:
        try:
            shots = tuple(sorted({int(count) for count in typed.split(",")}))
        except ValueError as error:
            raise UserError(f"--few_shot {typed!r} cannot be read: give it as 1,5,10") from error
        if shots[0] < 1:
            raise UserError(f"--few_shot {typed!r}: give 1 or more")
        return shots
    counts = np.bincount(dataset.parts["train"].labels, minlength=dataset.num_classes)
    least = int(counts.min())
    if typed is None and not least:
        name = dataset.class_names[int(counts.argmin())]
        print(f"few-shot is left out: class {name} has no training image", file=sys.stderr)
        return ()
    return tuple(count for count in _SHOTS if count <= least) or (1,)


def _print(results: dict[str, Any]) -> None:
    print(
        f"{results['width']} features; {results['train_images']:,} training images, "
        f"{results['num_images']:,} {results['part']} images"
        + (f", {len(results['skipped'])} unreadable left out" if results["skipped"] else "")
    )
    for row in results.get("few_shot", ()):
        spread = f" ± {row['spread']:.2%}" if len(row["accuracies"]) > 1 else ""
        shots = f"{row['shots']} shot" + ("s" if row["shots"] > 1 else "")
        print(f"{shots:>14}   {row['accuracy']:.2%}{spread}")
    for name, words in (("neighbours", "{neighbours} neighbours"), ("linear", "linear probe")):
        if name in results:
            low, high = results[name]["accuracy_interval"]
            words = words.format(**results[name])
            print(f"{words:>14}   {results[name]['accuracy']:.2%} (95 %: {low:.2%} to {high:.2%})")
