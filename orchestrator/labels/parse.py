"""Reads a language model's answer: one of the allowed values, or a name. What is not said plainly is "", not a guess.

A value counts where it stands for the answer, not wherever the word occurs: "a dog on a background" labels nothing.
It stands for the answer if it is

- all of a line, of a sentence, or of what follows a colon ("Background.", "Category: background", "答案：background");
- what a statement names ("The category is background", "classified as an animal");
- the start of a sentence that goes on with a reason or an aside ("Animal, because …", "Background (sky)").

Two different values that stand for the answer, a refusal, a question, or an unfinished thought make it unreadable.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence

LONGEST_NAME = 60  # characters

_THOUGHT = re.compile(r"<think(?:ing)?>.*?(?:</think(?:ing)?>|\Z)", re.DOTALL | re.IGNORECASE)
_REFUSAL = re.compile(
    r"\b(?:i['’]?m sorry|i am sorry|i apologi[sz]e|as an ai|i (?:cannot|can not|could not|do not know)"
    r"|i (?:can|could|won)['’]?t|(?:i am|i['’]?m) (?:unable|not able|not sure|unsure)|i don['’]?t know)\b",
    re.IGNORECASE,
)
_DASHES = re.compile(r"[\u2010-\u2012\u2212]")  # hyphens and minus; longer dashes set an aside
_QUOTES = "\"'“”„‟«»‹›‘’「」『』《》〈〉"
_MARKUP = re.compile(rf"\\(?:boxed|text(?:bf|it)?)\b|[{_QUOTES}*_`~#>\[\]{{}}¡¿|$]")
_QUESTION = re.compile(r"[^.!?。\n]*[?؟]")
_SENTENCE = re.compile(r"[.!。।\n;]+")
_LIST_MARK = re.compile(r"^\s*(?:[-•–·]|\(?(?:\d{1,2}|[a-c])[.):])\s+")

_FILLER = r"(?:(?:a|an|the|its|probably|likely|most|clearly|definitely|therefore|best|mainly|simply|of|type)\s+)*"
_NOUN = r"(?:element|feature|category|concept|class|label|level)s?"
_DENIED = re.compile(r"\b(?:not|no|never|neither|nor|without|except|nothing|if|whether|could|might|maybe)\b|n t\b")
_STATED = re.compile(
    r"\b(?:category|categori[sz]ation|answer|label|class|classification|choice|level(?: of abstraction)?|word"
    r"|this|that|it|description|text|explanation|feature|element|concept|subject)\s+"
    r"(?:is|would be|should be|must be|=)\s+"
    r"|\b(?:classif\w+|categori[sz]ed|labell?ed|best described|fits? best)\s+as\s+"
    r"|\b(?:falls?|belongs?|goes)\s+(?:into|in|under|to)\s+"
)
_REASON = re.compile(r"\s*,?\s*(?:because|since|as (?:it|the|this)|rather than|instead of|not)\b")
_ASIDE = re.compile(r"\s*[(:–—]|\s+-\s")

_NAMED = re.compile(
    r"^(?:(?:sure|here|okay|certainly|the|a|my|cluster|group|short|suggested|final|name|label|title|answer|topic|theme)\b"
    r"[^:]{0,60}:|(?:the )?(?:\w+ )?(?:name|label|title|answer|topic|theme) is\b)\s*(?=\S)",
    re.IGNORECASE,
)
_EDGES = _QUOTES + " \t.,;:!。、，：…"


def read_choice(raw: str, values: Sequence[str]) -> str:
    """The one of `values` that the answer says, or "" if it says none, several, or nothing plainly."""
    text = _printable(_THOUGHT.sub("", raw))
    if _REFUSAL.search(text):
        return ""
    plain = _QUESTION.sub(" ", _MARKUP.sub(" ", _DASHES.sub("-", text).casefold()))
    stands = {value for sentence in _SENTENCE.split(plain) for value in _answers(sentence, values)}
    return stands.pop() if len(stands) == 1 else ""


def read_name(raw: str) -> str:
    """A cluster's name: one line without markup, quotes and lead-in, cut at a word; "" if there is none."""
    text = _printable(_THOUGHT.sub("", raw))
    if _REFUSAL.search(text):
        return ""
    for line in text.splitlines():
        name = _LIST_MARK.sub("", re.sub(r"\\boxed|[*_`#>{}\[\]|]", " ", line).strip())
        if name.endswith(":"):  # "Here is a name:", the name comes on a line of its own
            continue
        name = re.sub(r"\s+", " ", _NAMED.sub("", name)).strip(_EDGES)
        if any(map(str.isalnum, name)):
            return _cut(name)
    return ""


def _cut(name: str) -> str:
    if len(name) <= LONGEST_NAME:
        return name
    return name[: LONGEST_NAME + 1].rpartition(" ")[0].strip(_EDGES) or name[:LONGEST_NAME]


def _printable(text: str) -> str:
    """One form for every character; without those that are invisible, steer a terminal or turn the line around."""
    lines = unicodedata.normalize("NFKC", text).splitlines()
    return "\n".join("".join(map(_seen, line)) for line in lines)


def _seen(letter: str) -> str:
    if letter.isspace():
        return " "
    return "" if unicodedata.category(letter).startswith("C") else letter


def _answers(sentence: str, values: Sequence[str]) -> Iterator[str]:
    """The values that stand for the answer in one sentence."""
    sentence = _LIST_MARK.sub("", sentence.strip()).strip()
    before, colon, after = sentence.rpartition(":")
    listed = "|".join(map(_pattern, values))
    plain = colon and not _DENIED.search(before) and not re.search(rf"\b(?:{listed})\b", before)
    whole = [sentence, after] if plain else [sentence]
    for value in values:
        rivals = [_pattern(other) for other in values if other != value]
        alone = re.compile(rf"{_FILLER}{_pattern(value)}(?:\s+{_NOUN})?\s*,?")
        if any(alone.fullmatch(part.strip(" ()")) for part in whole) or any(
            _ends_well(rest, rivals) for rest in _said(sentence, _pattern(value))
        ):
            yield value


def _said(sentence: str, value: str) -> Iterator[str]:
    """What follows the value where a sentence opens with it, or states it."""
    if found := re.match(rf"{value}(?=\s*[,(:–—]|\s+-\s|\s+(?:because|since|rather than|instead of)\b)", sentence):
        yield sentence[found.end() :]
    for stated in _STATED.finditer(sentence):
        said = re.compile(rf"{_FILLER}(?:{_NOUN}\s+)?{_FILLER}{value}\b(?![-/])").match(sentence, stated.end())
        if said and not _DENIED.search(sentence[: stated.start()]):
            yield sentence[said.end() :]


def _ends_well(rest: str, rivals: Sequence[str]) -> bool:
    """Whether what follows a value leaves it alone: a reason may name others, an aside may not begin with one."""
    rival = rf"\b(?:{'|'.join(rivals)})\b"
    if _REASON.match(rest):
        return True
    if aside := _ASIDE.match(rest):
        return not re.compile(rf"\s*(?:or\s+|and\s+)?{_FILLER}{rival}").match(rest, aside.end())
    return not re.search(rival, rest)


def _pattern(value: str) -> str:
    """A value as it may be written: "low-level", "low level", "lowlevel"; "animals"."""
    return r"[\s-]?".join(map(re.escape, value.split("-"))) + "s?"
