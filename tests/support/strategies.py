"""Text as strangers type it, from all of Unicode: like an address, a name, a phone number, an event; and what is none at all.

For properties and fuzzers: every one of these is something that a form, a file or a topic may bring.
"""

from hypothesis import strategies as st

from shared.values import characters

ANY = st.characters()  # surrogates too
ENCODABLE = st.characters(exclude_categories=["Cs"])  # what can come over a wire in UTF-8
INVISIBLE = st.sampled_from(
    [*characters.ignorable()][:400] + [chr(one) for one in (*range(32), *range(0x7F, 0xA0), 0x2028, 0x2029)]
)
BLANKS = st.sampled_from(["", " ", "  ", "\u3000", "\xa0", "\t", "\n", "\u2003", "\r\n"])
ATS = st.sampled_from(["@"] * 6 + ["＠", "﹫", "@@", " @ ", "", "\u200b@"])
STOPS = st.sampled_from(["."] * 6 + ["。", "．", "｡", "..", "․", "\u00b7"])
SIGNS = st.sampled_from([*"!#$%&'*+-/=?^_`{|}~\"(),:;<>[\\] .", "=?utf-8?q?", "?=", "%00", "mailto:", "&lt;", "xn--"])
LETTERS = st.characters(categories=["L", "N", "M"])
DIGITS = st.characters(categories=["Nd"])
DASHES = st.sampled_from(["-", " ", "", "\u2010", "\u2013", "\u2212", "－", "ー", "/", ".", "(", ")", "（", "）"])


def _joined(*parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.tuples(*parts).map("".join)


def _words(alphabet: st.SearchStrategy[str], most: int = 12) -> st.SearchStrategy[str]:
    return st.lists(alphabet, min_size=1, max_size=most).map("".join)


PLAIN = _words(st.sampled_from("abcXYZ019-_+"), 10)
ATOMS = st.one_of(
    PLAIN, PLAIN, _words(LETTERS), _words(st.one_of(LETTERS, SIGNS)), _words(st.one_of(LETTERS, INVISIBLE)), _words(ENCODABLE)
)
_DOMAINS = st.one_of(
    st.sampled_from(
        ["t.example", "Example.ORG", "münchen.de", "例子.中国", "xn--mnchen-3ya.de", "ß.de", "[127.0.0.1]", "localhost"]
    ),
    _joined(ATOMS, STOPS, st.sampled_from(["example", "ORG", "中国", "de.", "xn--p1ai"])),
    _joined(ATOMS, STOPS, ATOMS),
)
mailbox_like = st.one_of(
    st.emails(),
    _joined(BLANKS, st.sampled_from(["", "", "", "mailto:", "MAILTO:", "ｍａｉｌｔｏ："]), ATOMS, ATS, _DOMAINS, BLANKS),
    _joined(ATOMS, STOPS, ATOMS, ATS, _DOMAINS),
    _joined(ATOMS, st.sampled_from([" <", "<", ":", ";", ","]), ATOMS, ATS, _DOMAINS, st.sampled_from([">", ";", "", ","])),
    st.text(ENCODABLE, max_size=300),
)
name_like = st.one_of(
    _joined(
        BLANKS,
        _words(LETTERS),
        st.sampled_from([" ", "-", "'", "’", "\u3000", "\u200c", "\u200d", "·"]),
        _words(LETTERS),
        BLANKS,
    ),
    _words(st.one_of(LETTERS, INVISIBLE)),
    _words(INVISIBLE),
    st.text(ANY, max_size=60),
)
phone_like = st.one_of(
    _joined(
        BLANKS,
        st.sampled_from(["+", "00", "", "＋", "0", "(0)", "tel:", "+49", "+1", "+86", "0044"]),
        st.lists(_joined(DIGITS, DASHES), min_size=3, max_size=16).map("".join),
        st.sampled_from(["", "", "", " x12", " ext. 5", "E+10", "#", " / 06 12 34 56 78", ";ext=7"]),
        BLANKS,
    ),
    st.from_regex(r"\+[1-9][0-9]{6,14}", fullmatch=True),
    st.sampled_from(["#N/A", "1.2E+10", "3.31235E+10", "n/a", "-", "unknown", "1-800-FLOWERS", "#REF!"]),
    st.text(ENCODABLE, max_size=40),
)
country_like = st.one_of(
    st.none(),
    st.sampled_from(
        ["", "DE", "de", "USA", "U.S.A.", "UK", "France", "中国", "Österreich", "Narnia", "Brazil", "ITA", "Schweiz"]
    ),
    st.text(ENCODABLE, max_size=30),
)
digits_like = st.one_of(
    st.lists(_joined(DIGITS, DASHES), min_size=1, max_size=12).map("".join), st.text(ENCODABLE, max_size=80)
)
json_like = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | mailbox_like
    | name_like.map(lambda s: s.encode("utf-8", "replace").decode()),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(ENCODABLE, max_size=12), inner, max_size=4),
    max_leaves=12,
)
