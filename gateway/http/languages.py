"""Accept-Language: whether sentences for people are wanted in Chinese. RFC 9110, section 12.5.4."""

from functools import lru_cache


def wants_chinese(accept_language: str | None) -> bool:
    """Whether Chinese is preferred to English. Without the header, or a language of ours in it: English."""
    return accept_language is not None and _wants_chinese(accept_language[:200])


@lru_cache(maxsize=64)  # clients send the same header with every request
def _wants_chinese(accept_language: str) -> bool:
    best = {"zh": 0.0, "en": 0.0}
    for entry in reversed(accept_language.lower().split(",")):  # of two with the same weight the first wins
        tag, _, parameters = entry.partition(";")
        language = tag.strip().partition("-")[0]
        weight = _weight(parameters)
        if language in best and weight >= max(best.values()):
            best = dict.fromkeys(best, 0.0) | {language: weight}
    return best["zh"] > best["en"]


def _weight(parameters: str) -> float:
    """`q=0.8` as a number from 0 to 1; 1 where it is left out, 0 where it cannot be read."""
    name, _, value = parameters.strip().partition("=")
    if name != "q":
        return 1.0
    try:
        return min(1.0, max(0.0, float(value)))
    except ValueError:
        return 0.0
