"""The words of pages and mails in English and Chinese. A test holds both to the same keys."""

from collections.abc import Mapping

from services.dsar.portal.texts_en import EN
from services.dsar.portal.texts_zh import ZH

__all__ = ["EN", "WORDS", "ZH", "words"]

WORDS: Mapping[str, Mapping[str, str]] = {"en": EN, "zh": ZH}


def words(language: str, key: str, **values: str) -> str:
    """The text `key` in `language`."""
    return WORDS.get(language, EN)[key].format(**values)
