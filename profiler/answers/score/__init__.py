"""How good are predictions? Accuracy, precision, recall, AUROC; of maps of edges ODS and OIS."""

from profiler.answers.score import table  # noqa: F401  it says how the answer is shown
