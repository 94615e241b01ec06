"""Measure a model on a data set: accuracy with its interval, a table per class, calibration.

  vitreous evaluate runs/digits
  vitreous evaluate runs/photos new_photos/ --out reports/new --json -
  vitreous evaluate runs/photos new_photos/ --exclude leaks.tsv

MODEL is a run folder or a checkpoint of any known family. Without DATA, or with the data of the run
itself, the run's own test or validation images are measured. Classes are matched by name. With a
list of images to exclude, accuracy is given with them and without.
"""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from vitreous.cli.checkpoint_options import add_checkpoint_arguments, checkpoint_options
from vitreous.cli.data_options import add_data_arguments, data_options
from vitreous.cli.inference_options import add_inference_arguments
from vitreous.cli.output import add_json_argument, print_report, write_json
from vitreous.errors import UserError


def add_arguments(parser: ArgumentParser) -> None:
    """The verb's options."""
    parser.add_argument("model", metavar="MODEL", help="run folder or checkpoint")
    parser.add_argument(
        "data", metavar="DATA", nargs="?", help="the data set; the run's own if not given"
    )
    parser.add_argument("--part", metavar="PART", help="train, validation or test")
    parser.add_argument(
        "--exclude", metavar="LIST", help="measure also without the images that a list names"
    )
    parser.add_argument(
        "--real", metavar="FILE", help="real.json: ImageNet accuracy by all that is on an image"
    )
    parser.add_argument("--out", metavar="DIR", help="write report.json and report.html there")
    add_inference_arguments(parser, batch_size=64)
    add_data_arguments(parser)
    add_checkpoint_arguments(parser)
    add_json_argument(parser)


def run(arguments: Namespace) -> int:
    """Load, measure, print, and write where asked."""
    from vitreous.cli.part import open_part
    from vitreous.data.exclude import read_exclusion
    from vitreous.data.sample import require_one_label
    from vitreous.data.sources.real import CLASSES, read_real_labels
    from vitreous.evaluate.labels import match_classes, named_by_data
    from vitreous.evaluate.real import check_truth, real_accuracy
    from vitreous.evaluate.without import measure_without
    from vitreous.parallel.device import choose_engine
    from vitreous.report.assemble import evaluate_part, write_run_report
    from vitreous.train.measure import read_history
    from vitreous.train.run_folder import RunFolder
    from vitreous.weights.load import load
    from vitreous.weights.passport import passport_of

    if arguments.batch_size < 1:
        raise UserError(f"--batch_size is {arguments.batch_size}: give at least 1")
    listed = None if arguments.exclude is None else read_exclusion(arguments.exclude)
    real = None if arguments.real is None else read_real_labels(Path(arguments.real))
    engine = choose_engine(arguments.device, arguments.precision)
    model = load(arguments.model, **checkpoint_options(arguments))
    run = RunFolder.of_model(arguments.model)
    dataset, part = open_part(arguments.data, run, arguments.part, data_options(arguments))
    model.passport = named_by_data(passport_of(model), dataset.class_names)
    folder = None if arguments.out is None else Path(arguments.out)
    if folder is not None and (folder / "report.json").exists():
        raise UserError(f"--out {folder} holds a report already: choose another")
    if real is not None:
        require_one_label(dataset, "ReaL")
        if dataset.num_classes != CLASSES:
            raise UserError(
                f"--real is for ImageNet's {CLASSES:,} classes and {dataset.address} has "
                f"{dataset.num_classes:,}: leave it out"
            )
        check_truth(dataset.parts[part].labels, dataset.parts[part].names, real)
    report, answers = evaluate_part(
        model,
        dataset,
        part,
        engine,
        batch_size=arguments.batch_size,
        bad_limit=arguments.bad_limit,
    )
    report["run"] = run.path.name
    if listed is not None and report.get("multi_label"):
        raise UserError("--exclude measures models of one label an image: leave it out")
    if listed is not None:
        names = [dataset.parts[part].names[index] for index in answers.index.tolist()]
        report["without"] = measure_without(
            answers, names, [row["name"] for row in report["classes"]], listed
        )
    if real is not None:
        names = [dataset.parts[part].names[index] for index in answers.index.tolist()]
        places = match_classes([row["name"] for row in report["classes"]], dataset.class_names)
        report["real"] = real_accuracy(answers.logits[:, places].argmax(1), names, real)
    history = read_history(run.metrics)
    if folder is not None:
        write_run_report(folder, model, dataset, report, answers, engine, history=history)
    if not write_json(arguments.json, report):
        print_report(report)
        if real is not None:
            low, high = report["real"]["accuracy_interval"]
            print(
                f"ReaL: accuracy {report['real']['accuracy']:.2%} (95 %: {low:.2%} to {high:.2%}) "
                f"of {report['real']['num_images']:,} images"
            )
        if folder is not None:
            print(f"the report is {folder}/report.html")
    return 0
