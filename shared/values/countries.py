"""Countries as people write them: ISO 3166 codes and the usual names in English, Chinese and German, in any case."""

import re
import unicodedata
from collections.abc import Iterator
from functools import cache

from babel import Locale
from babel.core import get_global

LOCALES = ("en", "de", "zh", "zh_Hant")
NO_COUNTRY = {"EU", "EZ", "UN", "QO", "XA", "XB", "ZZ"}  # CLDR's two letters of something else
# What people write and CLDR has not (or has as its variant, which Babel leaves out).
ALIASES = {
    "AE": ("UAE", "Emirates", "Emirate", "阿联酋"),
    "BA": ("Bosnia", "Bosnien"),
    "BN": ("Brunei Darussalam",),
    "BO": ("Bolivia, Plurinational State of",),
    "BY": ("Weißrussland",),
    "CD": ("DR Congo", "Democratic Republic of the Congo", "DRC"),
    "CG": ("Republic of the Congo",),
    "CH": ("Suisse", "Svizzera", "Swiss Confederation"),
    "CI": ("Ivory Coast", "Elfenbeinküste"),
    "CN": ("PRC", "P.R. China", "People's Republic of China", "Mainland China", "中华人民共和国", "中国大陆"),
    "CV": ("Cape Verde", "Kap Verde"),
    "CZ": ("Czech Republic", "Tschechische Republik", "捷克共和国"),
    "DE": ("Federal Republic of Germany", "Bundesrepublik Deutschland", "BRD"),
    "ES": ("España",),
    "GB": (
        "Great Britain", "Britain", "England", "Scotland", "Wales", "Northern Ireland", "Großbritannien", "Schottland",
        "Nordirland", "United Kingdom of Great Britain and Northern Ireland", "大不列颠", "英格兰", "苏格兰",
        "威尔士", "北爱尔兰",
    ),
    "HK": ("Hong Kong", "Hongkong", "香港"),
    "IE": ("Republic of Ireland", "Republik Irland"),
    "IR": ("Islamic Republic of Iran",),
    "KP": ("DPRK",),
    "KR": ("Korea", "Republic of Korea", "大韩民国", "南韩"),
    "LA": ("Lao People's Democratic Republic",),
    "MD": ("Republic of Moldova",),
    "MK": ("Macedonia", "Mazedonien"),
    "MM": ("Burma", "Birma", "Myanmar"),
    "MO": ("Macau", "Macao", "澳门", "澳門"),
    "NL": ("Holland", "The Netherlands", "荷蘭"),
    "PS": ("Palestine", "Palästina", "State of Palestine", "巴勒斯坦"),
    "RU": ("Russian Federation", "Russische Föderation", "俄罗斯联邦"),
    "SZ": ("Swaziland", "Swasiland"),
    "TL": ("East Timor", "Osttimor"),
    "TR": ("Turkey", "Turkiye"),
    "TZ": ("United Republic of Tanzania",),
    "US": (
        "United States of America", "America", "Amerika", "Vereinigte Staaten von Amerika", "USA", "U.S.", "美利坚合众国",
    ),
    "VA": ("Vatican", "Vatikan", "Holy See"),
    "VN": ("Viet Nam",),
}  # fmt: skip


def region_of(written: str) -> str | None:
    """The ISO 3166-1 alpha-2 code of a country as it is written; None for one that is not known."""
    return _names().get(_folded(written[:200]))


def _folded(text: str) -> str:
    """Letters and digits alone, without case and accents: `U.S.A.`, `Côte d’Ivoire`, `ＵＫ`."""
    apart = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", text).casefold())
    return "".join(one for one in apart if one.isalnum())


@cache
def _names() -> dict[str, str]:
    found: dict[str, str] = {}
    for region, name in _all():
        found.setdefault(_folded(name), region)
    return found


def _all() -> Iterator[tuple[str, str]]:
    """(region, a spelling of it), the surest first."""
    regions = set(_territories("en")) - NO_COUNTRY
    for region in sorted(regions):
        yield region, region
    for old, now in get_global("territory_aliases").items():  # alpha-3 codes, and those that ISO has withdrawn
        if old.isalpha() and len(now) == 1 and now[0] in regions:
            yield now[0], old
    for locale in LOCALES:
        for region, name in _territories(locale).items():
            if region in regions:
                yield region, name
    for region, names in ALIASES.items():
        for name in names:
            yield region, name


def _territories(locale: str) -> dict[str, str]:
    """Two letters -> the name in this language (Babel's other codes are continents)."""
    return {
        str(code): str(name) for code, name in Locale.parse(locale).territories.items() if re.fullmatch("[A-Z]{2}", str(code))
    }
