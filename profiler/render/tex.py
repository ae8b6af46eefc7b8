"""How is any text written in LaTeX? So that it compiles without a package, in pdfLaTeX, XeLaTeX and LuaLaTeX."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from profiler.render.numbers import one_line

_SPECIAL = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", '"': r"{\ttfamily\char34}", "`": r"{\ttfamily\char96}", "'": "{'}",
    "[": "{[}", "]": "{]}", "*": "{*}",  # behind \\ brackets and stars would be its arguments
    "×": r"$\times$", "·": r"$\cdot$", "→": r"$\rightarrow$", "←": r"$\leftarrow$", "±": r"$\pm$", "÷": r"$\div$",
    "≤": r"$\leq$", "≥": r"$\geq$", "≈": r"$\approx$", "≠": r"$\neq$", "∞": r"$\infty$", "−": "$-$", "°": r"$^\circ$",
    "²": "$^2$", "³": "$^3$", "⁴": "$^4$", "–": "--", "—": "---",
    "…": r"\ldots{}", "•": r"\textbullet{}", "†": r"\dag{}",
    "█": r"\rule{0.4em}{1.4ex}",
    "‘": "`", "’": "'", "“": "``", "”": "''", "ß": r"\ss{}", "æ": r"\ae{}", "Æ": r"\AE{}", "œ": r"\oe{}",
    "Œ": r"\OE{}", "ø": r"\o{}", "Ø": r"\O{}", "ł": r"\l{}", "Ł": r"\L{}", "ı": r"\i{}", "¡": "!`", "¿": "?`",
}  # fmt: skip
# The accents that LaTeX's oldest encoding can put on any letter, by their combining characters.
_ACCENTS = {
    "\u0300": "`", "\u0301": "'", "\u0302": "^", "\u0303": "~", "\u0304": "=", "\u0306": "u", "\u0307": ".",
    "\u0308": '"', "\u030a": "r", "\u030b": "H", "\u030c": "v", "\u0323": "d", "\u0327": "c", "\u0331": "b",
}  # fmt: skip
_BELOW = "dcb"
_GREEK = {
    "α": "alpha", "β": "beta", "γ": "gamma", "δ": "delta", "ε": "epsilon", "ζ": "zeta", "η": "eta", "θ": "theta",
    "ι": "iota", "κ": "kappa", "λ": "lambda", "μ": "mu", "µ": "mu", "ν": "nu", "ξ": "xi", "π": "pi", "ρ": "rho",
    "σ": "sigma", "τ": "tau", "υ": "upsilon", "φ": "phi", "χ": "chi", "ψ": "psi", "ω": "omega",
    "Γ": "Gamma", "Δ": "Delta", "Θ": "Theta", "Λ": "Lambda", "Ξ": "Xi", "Π": "Pi", "Σ": "Sigma", "Φ": "Phi",
    "Ψ": "Psi", "Ω": "Omega",
}  # fmt: skip
_EMS = {
    **dict.fromkeys("ijl.,:;'|! ", 0.28),
    **dict.fromkeys("frst()[]-/", 0.39),
    "m": 0.83,
    "w": 0.72,
    "→": 1.0,
    "█": 0.4,
}

_SIGNS = re.compile(r"(?<=[,:;/._=(\-])(?=.)")


def escaped(text: str) -> str:
    """A text as LaTeX. Every kind of blank is one that every engine knows."""
    blank = "".join(" " if c.isspace() else c for c in one_line(text))
    pieces = _pieces(unicodedata.normalize("NFC", blank))
    return "".join(pieces).replace("--", "-{}-")


def breakable(text: str) -> str:
    """A text as LaTeX that may go on in the next line behind a sign, as a name without blanks has to."""
    return r"\allowbreak{}".join(map(escaped, _SIGNS.split(text)))


def ems(text: str) -> float:
    """About how wide a text is in Computer Modern Roman, in em."""
    return sum(_EMS.get(c, 0.75 if c.isupper() or not c.isascii() else 0.5) for c in text)


def _pieces(text: str) -> Iterator[str]:
    """Characters that no command stands for are written as they are for the engines that know them, else by number."""
    unknown = ""
    for character in text:
        written = _command(character)
        if written is None:
            unknown += character
            continue
        if unknown:
            yield _by_engine(unknown)
            unknown = ""
        yield written
    if unknown:
        yield _by_engine(unknown)


def _by_engine(characters: str) -> str:
    numbers = " ".join(f"U+{ord(character):04X}" for character in characters)
    return rf"\ifdefined\Umathchar {characters}\else {numbers}\fi{{}}"


def _command(character: str) -> str | None:
    if character in _SPECIAL:
        return _SPECIAL[character]
    if character in _GREEK:
        return rf"$\{_GREEK[character]}$"
    return character if character.isascii() else _accented(character)


def _accented(character: str) -> str | None:
    """A Latin letter with one accent."""
    apart = unicodedata.normalize("NFD", character)
    if len(apart) != 2 or not apart[0].isascii() or apart[1] not in _ACCENTS:
        return None
    accent = _ACCENTS[apart[1]]
    letter = rf"\{apart[0]}" if apart[0] in "ij" and accent not in _BELOW else apart[0]
    return rf"{{\{accent}{{{letter}}}}}"
