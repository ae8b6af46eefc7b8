"""What do counters read off an einsum equation?"""

from __future__ import annotations

import re
from collections.abc import Sequence
from math import floor, prod

Shapes = Sequence[tuple[int, ...]]


def renamed(equation: str) -> str:
    """The equation without blanks, its letters in the order of the alphabet."""
    plain = equation.replace(" ", "")
    letters = dict.fromkeys(character for character in plain if character.isalpha())
    return plain.translate({ord(letter): ord("a") + position for position, letter in enumerate(letters)})


def path_flops(equation: str, shapes: Shapes) -> float:
    """The count that `numpy.einsum_path` prints for the best order: two for a MAC, and four digits."""
    import numpy

    operands = [numpy.broadcast_to(numpy.zeros(()), shape) for shape in shapes]
    text = numpy.einsum_path(renamed(equation), *operands, optimize="optimal")[1]
    line = re.search(r"optimized flop.*:(.*)", text, re.IGNORECASE)
    assert line is not None, text
    return float(line[1])


def halved_path_flops(equation: str, shapes: Shapes) -> int:
    return floor(path_flops(equation, shapes) / 2)


def index_product(equation: str, shapes: Shapes) -> int:
    """The product of the sizes of all indices: what a single loop over all of them would take."""
    sizes: dict[str, int] = {}
    for letters, shape in zip(equation.split("->", maxsplit=1)[0].split(","), shapes, strict=False):
        sizes.update(zip(letters.replace(" ", ""), shape, strict=False))
    return prod(sizes.values())


def pairwise_product(equation: str, shapes: Shapes) -> int:
    """The multiplications of two operands: the sizes of indices that both have, and of those that are kept.

    What one operand lacks, or has once, is summed away before, unless the result keeps it. 0 for another number of
    operands.
    """
    if len(shapes) != 2:
        return 0
    operands, arrow, result = equation.replace(" ", "").partition("->")
    if not arrow:
        result = "..." + "".join(letter for letter in operands if operands.count(letter) == 1)
    left, right = (_sizes(letters, shape) for letters, shape in zip(operands.split(","), shapes, strict=True))
    both = left.keys() & right.keys()
    named = {key for key in left.keys() | right.keys() if (key[0] == "." and "..." in result) or key in result}
    return prod(left.get(key) or right[key] for key in both | named)


def _sizes(letters: str, shape: tuple[int, ...]) -> dict[str, int]:
    """The sizes other than 1 of an operand's indices; those of an ellipsis are ".1", ".2", ... from the right."""
    head, _, tail = letters.partition("...")
    hidden = len(shape) - len(head) - len(tail)
    names = [*head, *(f".{place}" for place in range(hidden, 0, -1)), *tail]
    return {name: size for name, size in zip(names, shape, strict=False) if size != 1}
