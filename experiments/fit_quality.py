"""Fits the Dice that `ggpfn segment` expects of its own results: the table in src/quality/expected.rs.

    python fit_quality.py NAME:KIND:REPORTS:DICE ... [--patients CSV] [--folds 5] [--ridge 1]

Each set is a NAME, `painted` or `real`, a folder of reports and the true Dice of the cases:

    ggpfn segment scans/*.nii.gz masks/ --report reports/
    ggpfn evaluate masks/ truth/ --json dice.json        (or --csv dice.csv)
    python fit_quality.py held-out:painted:reports:dice.json hospital:real:reports2:dice2.csv

A report belongs to the case with the same name, endings such as _report and _pancreas aside. PATIENTS is a CSV with the columns case and
patient; without it the digits of a case's name are its patient. All cases of a patient are in one fold. Both kinds weigh the same in the fit,
however many cases each has.

Printed are the figures of the cross-validation, for each set and kind, and the Rust table of a fit on all cases:

    of results with a Dice below 0.4, how many are flagged       (aim: nine of ten at least)
    of results with a Dice above 0.6, how many are flagged       (aim: one of seven at most)

A result is flagged if its expected Dice is below the threshold or one of its warnings is grave. The threshold is chosen on the training folds:
the middle of those that flag the fewest good results among those that flag nine of ten bad ones.

Needs numpy and scipy.
"""

import argparse
import csv
import json
import math
import pathlib
import re
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

BAD, GOOD = 0.4, 0.6
AIM = 0.9
FARTHEST = 3.0
USUAL_ML = 80.0
GRAVE = {"nothing-found", "small-volume", "large-volume", "not-soft-tissue", "not-hounsfield", "voxel-size"}


def volume_off(features):
    volume = features["volume_ml"]
    return abs(math.log(volume / USUAL_ML)) if volume > 0 else None


# The terms, as src/quality/expected.rs computes them, and how each is written there.
TERMS = {
    "view_dice": (lambda f: f["view_dice"], "|f| f.view_dice"),
    "view_soft_dice": (lambda f: f["view_soft_dice"], "|f| f.view_soft_dice"),
    "mean_probability": (lambda f: f["mean_probability"], "|f| f.mean_probability"),
    "entropy_near": (lambda f: f["entropy_near"], "|f| f.entropy_near"),
    "volume_off": (volume_off, "volume_off"),
    "largest_share": (lambda f: f["largest_share"], "|f| f.largest_share"),
    "soft_share": (lambda f: f["soft_share"], "|f| f.soft_share"),
}


@dataclass
class Case:
    set: str
    kind: str
    patient: str
    values: list
    empty: bool
    grave: bool
    dice: float


def plain(name):
    """A case's name without what files add to it."""
    name = re.sub(r"(\.nii)?(\.gz)?$", "", name.lower())
    return re.sub(r"(_(report|pancreas|mask|pred|label|seg|ct|0000))+$", "", name)


def true_dice(path):
    if path.suffix == ".csv":
        with open(path, newline="") as file:
            rows = [(row["case"], row["dice"]) for row in csv.DictReader(file)]
    else:
        rows = [(case["case"], case["measures"]["dice"]) for case in json.loads(path.read_text())["cases"]]
    return {plain(name): float(dice) for name, dice in rows if dice not in ("", None)}


def read_set(text, patients):
    name, kind, reports, dice = text.split(":", 3)
    if kind not in ("painted", "real"):
        raise SystemExit(f"{text}: the kind is {kind!r}; painted or real was expected")
    dices = true_dice(pathlib.Path(dice))
    cases, missing = [], []
    for path in sorted(pathlib.Path(reports).glob("*.json")):
        report = json.loads(path.read_text())
        case = plain(path.stem)
        if case not in dices or "quality" not in report:
            missing.append(path.name)
            continue
        features = report["quality"]["features"]
        patient = patients.get(case) or "".join(re.findall(r"\d+", case)) or case
        cases.append(
            Case(
                set=name,
                kind=kind,
                patient=patient,
                values=[of(features) for of, _ in TERMS.values()],
                empty=features["volume_ml"] == 0,
                grave=any(warning["kind"] in GRAVE for warning in report["quality"]["warnings"]),
                dice=dices[case],
            )
        )
    if missing:
        print(f"{name}: left out for want of a true Dice or of features: {', '.join(missing)}")
    return cases


@dataclass
class Fit:
    mean: np.ndarray
    scale: np.ndarray
    weight: np.ndarray
    intercept: float
    threshold: float = 0.0

    def terms(self, values):
        scaled = np.clip((values - self.mean) / self.scale, -FARTHEST, FARTHEST)
        return np.where(np.isnan(scaled), 0.0, scaled)

    def expected(self, cases):
        odds = self.intercept + self.terms(matrix(cases)) @ self.weight
        return np.where([case.empty for case in cases], 0.0, 1 / (1 + np.exp(-odds)))


def matrix(cases):
    return np.array([case.values for case in cases], dtype=float).reshape(len(cases), len(TERMS))


def fit(cases, ridge):
    """A logistic model of the Dice itself, a number from 0 to 1; cases of which nothing was found do not enter."""
    used = [case for case in cases if not case.empty]
    values = matrix(used)
    with np.errstate(all="ignore"):
        mean, scale = np.nanmean(values, axis=0), np.nanstd(values, axis=0)
    mean = np.where(np.isnan(mean), 0.0, mean)
    scale = np.where(np.isnan(scale) | (scale < 1e-6), 1.0, scale)
    model = Fit(mean, scale, np.zeros(len(TERMS)), 0.0)
    x, y = model.terms(values), np.array([case.dice for case in used])
    counts = {kind: sum(case.kind == kind for case in used) for kind in ("painted", "real")}
    weight = np.array([len(used) / counts[case.kind] / sum(n > 0 for n in counts.values()) for case in used])

    def loss(parameters):
        odds = parameters[0] + x @ parameters[1:]
        # -y log p - (1 - y) log (1 - p)
        each = np.logaddexp(0, odds) - y * odds
        wrong = weight * (1 / (1 + np.exp(-odds)) - y)
        gradient = np.concatenate([[wrong.sum()], x.T @ wrong + ridge * parameters[1:]])
        return (weight * each).sum() + 0.5 * ridge * (parameters[1:] ** 2).sum(), gradient

    found = minimize(loss, np.zeros(len(TERMS) + 1), jac=True, method="L-BFGS-B").x
    model.intercept, model.weight = float(found[0]), found[1:]
    model.threshold = threshold(cases, model.expected(cases))
    return model


def flagged(cases, expected, threshold):
    return np.array([case.grave for case in cases]) | (expected < threshold)


def shares(cases, flags):
    """How many of the bad and of the good results are flagged: counts and totals."""
    dice = np.array([case.dice for case in cases])
    return [(int(flags[part].sum()), int(part.sum())) for part in (dice < BAD, dice > GOOD)]


def threshold(cases, expected):
    """The middle of the thresholds that miss the aim by the fewest bad results, and then flag the fewest good ones."""
    ranked = {}
    for candidate in np.round(np.arange(0.05, 0.96, 0.01), 2):
        (bad, all_bad), (good, _) = shares(cases, flagged(cases, expected, candidate))
        ranked.setdefault((max(0, math.ceil(AIM * all_bad) - bad), good), []).append(float(candidate))
    best = ranked[min(ranked)]
    return best[len(best) // 2]


def report(title, cases, expected, flags):
    (bad, all_bad), (good, all_good) = shares(cases, flags)
    dice = np.array([case.dice for case in cases])
    varied = len(cases) > 2 and dice.std() > 0 and expected.std() > 0
    correlation = np.corrcoef(dice, expected)[0, 1] if varied else float("nan")
    print(
        f"{title:<24} {len(cases):4} cases, Dice {dice.mean():.2f}, mean error {np.abs(dice - expected).mean():.2f}, "
        f"correlation {correlation:.2f}; flagged: {bad} of {all_bad} below {BAD}, {good} of {all_good} above {GOOD}"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="+", metavar="NAME:KIND:REPORTS:DICE")
    parser.add_argument("--patients", type=pathlib.Path, metavar="CSV")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--ridge", type=float, default=1.0)
    parser.add_argument("--model", default="MODEL", help="the model's name or SHA-256, for the table")
    arguments = parser.parse_args()
    patients = {}
    if arguments.patients:
        with open(arguments.patients, newline="") as file:
            patients = {plain(row["case"]): row["patient"] for row in csv.DictReader(file)}
    cases = [case for text in arguments.sets for case in read_set(text, patients)]
    names = sorted({case.patient for case in cases})
    if len(names) < 2:
        raise SystemExit(f"{len(cases)} cases of {len(names)} patients; two patients at least were expected")
    folds = min(arguments.folds, len(names))
    fold = {name: number % folds for number, name in enumerate(np.random.default_rng(1).permutation(names))}

    expected, flags = np.zeros(len(cases)), np.zeros(len(cases), dtype=bool)
    for number in range(folds):
        test = [index for index, case in enumerate(cases) if fold[case.patient] == number]
        model = fit([case for case in cases if fold[case.patient] != number], arguments.ridge)
        held = [cases[index] for index in test]
        expected[test] = model.expected(held)
        flags[test] = flagged(held, expected[test], model.threshold)

    groups = [("all", lambda case: True)]
    groups += [(kind, lambda case, kind=kind: case.kind == kind) for kind in ("painted", "real")]
    groups += [(name, lambda case, name=name: case.set == name) for name in sorted({case.set for case in cases})]
    print(f"{folds} folds by patient, {len(names)} patients")
    for title, chosen in groups:
        part = [index for index, case in enumerate(cases) if chosen(case)]
        if part:
            report(title, [cases[index] for index in part], expected[part], flags[part])

    model = fit(cases, arguments.ridge)
    print("\nFor src/quality/expected.rs:\n")
    print(f'pub const FITTED_FOR: &str = "{arguments.model}: {len(cases)} results of {len(names)} patients";')
    print(f"pub const DOUBTFUL_BELOW: f64 = {model.threshold:.2f};")
    print(f"const INTERCEPT: f64 = {model.intercept:.4f};")
    print(f"const TERMS: [Term; {len(TERMS)}] = [")
    for (name, (_, rust)), mean, scale, weight in zip(TERMS.items(), model.mean, model.scale, model.weight):
        print(f'    Term {{ name: "{name}", of: {rust}, mean: {mean:.4f}, scale: {scale:.4f}, weight: {weight:.4f} }},')
    print("];")


if __name__ == "__main__":
    main()
