"""What a word of a search is: the one meaning that both databases are made to keep.

A word is a run of letters, digits and combining marks; everything else stands between words. Case does not count, by
Unicode's simple case folding (one character for one); accents do. Characters are those of SQLite's tokenizer
`unicode61` (https://www.sqlite.org/fts5.html#unicode61_tokenizer), which knows Unicode 6.1: what is newer counts as a
letter.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

TEXT_MAX = 200
"""Characters of a search."""

WORDS_MAX = 10
"""Words of a search."""

FIELDS_MAX = 8
"""Fields that one list can be searched in."""

SEARCHED_CHARACTERS_MAX = 250_000
"""Characters that the fields of one search may hold together: PostgreSQL keeps the words of a row in 1 MB, and each
character may take four bytes."""

_IN_WORDS = """
30-39 41-5a 61-7a aa b2-b3 b5 b9-ba bc-be c0-d6 d8-f6 f8-2c1 2c6-2d1 2e0-2e4 2ec 2ee 300-374 376-37d 37f-383 386
388-3f5 3f7-481 483-559 560-588 58b-58e 590-5bd 5bf 5c1-5c2 5c4-5c5 5c7-5f2 5f5-5ff 605 610-61a 61c-61d 620-669
66e-6d3 6d5-6dc 6df-6e8 6ea-6fc 6ff 70e 710-7f5 7fa-82f 83f-85d 85f-963 966-96f 971-9f1 9f4-9f9 9fc-aef af2-b6f
b71-bf2 bfb-c7e c80-d78 d7a-df3 df5-e3e e40-e4e e50-e59 e5c-f00 f18-f19 f20-f33 f35 f37 f39 f3e-f84 f86-fbd fc6 fcd
fdb-1049 1050-109d 10a0-10fa 10fc-135f 1369-138f 139a-13ff 1401-166c 166f-167f 1681-169a 169d-16ea 16ee-1734 1737-17d3
17d7 17dc-17ff 180b-180d 180f-193f 1941-1943 1946-19dd 1a00-1a1d 1a20-1a9f 1aa7 1aae-1b59 1b6b-1b73 1b7d-1bfb
1c00-1c3a 1c40-1c7d 1c80-1cbf 1cc8-1cd2 1cd4-1fbc 1fbe 1fc2-1fcc 1fd0-1fdc 1fe0-1fec 1ff0-1ffc 1fff 2065-2069
2070-2079 207f-2089 208f-209f 20ba-20ff 2102 2107 210a-2113 2115 2119-211d 2124 2126 2128 212a-212d 212f-2139
213c-213f 2145-2149 214e 2150-218f 23f4-23ff 2427-243f 244b-249b 24ea-24ff 2700 2776-2793 2b4d-2b4f 2b5a-2ce4
2ceb-2cf8 2cfd 2d00-2d6f 2d71-2dff 2e2f 2e3c-2e7f 2e9a 2ef4-2eff 2fd6-2fef 2ffc-2fff 3005-3007 3021-302f 3031-3035
3038-303c 3040-309a 309d-309f 30a1-30fa 30fc-318f 3192-3195 31a0-31bf 31e4-31ff 321f-3229 3248-324f 3251-325f
3280-3289 32b1-32bf 32ff 3400-4dbf 4e00-a48f a4c7-a4fd a500-a60c a610-a672 a674-a67d a67f-a6f1 a6f8-a6ff a717-a71f
a722-a788 a78b-a827 a82c-a835 a83a-a873 a878-a8cd a8d0-a8f7 a8fb-a92d a930-a95e a960-a9c0 a9ce-a9dd a9e0-aa5b
aa60-aa76 aa7a-aadd aae0-aaef aaf2-abea abec-d7ff e001-f8fe f900-fb28 fb2a-fbb1 fbc2-fd3d fd40-fdfb fdfe-fe0f
fe1a-fe2f fe53 fe67 fe6c-fefe ff00 ff10-ff19 ff21-ff3a ff41-ff5a ff66-ffdf ffe7 ffef-fff8 10000-100ff 10103-10136
10140-10178 1018a-1018f 1019c-101cf 101fd-1039e 103a0-103cf 103d1-10856 10858-1091e 10920-1093e 10940-10a4f
10a59-10a7e 10a80-10b38 10b40-11046 1104e-110ba 110c2-1113f 11144-111c4 111c9-1246f 12474-1cfff 1d0f6-1d0ff
1d127-1d128 1d165-1d169 1d16d-1d172 1d17b-1d182 1d185-1d18b 1d1aa-1d1ad 1d1de-1d1ff 1d242-1d244 1d246-1d2ff
1d357-1d6c0 1d6c2-1d6da 1d6dc-1d6fa 1d6fc-1d714 1d716-1d734 1d736-1d74e 1d750-1d76e 1d770-1d788 1d78a-1d7a8
1d7aa-1d7c2 1d7c4-1eeef 1eef2-1efff 1f02c-1f02f 1f094-1f09f 1f0af-1f0b0 1f0bf-1f0c0 1f0d0 1f0e0-1f10f 1f12f
1f16c-1f16f 1f19b-1f1e5 1f203-1f20f 1f23b-1f23f 1f249-1f24f 1f252-1f2ff 1f321-1f32f 1f336 1f37d-1f37f 1f394-1f39f
1f3c5 1f3cb-1f3df 1f3f1-1f3ff 1f43f 1f441 1f4f8 1f4fd-1f4ff 1f53e-1f53f 1f544-1f54f 1f568-1f5fa 1f641-1f644
1f650-1f67f 1f6c6-1f6ff 1f774-e0000 e0002-e001f e0080-effff f0001-ffffc ffffe-10ffff
"""
"""Ranges of the characters that words consist of, in hexadecimal."""

_FOLDS = """
41-5a:32 b5:775 c0-d6:32 d8-de:32 100~12e:1 132~136:1 139~147:1 14a~176:1 178:-121 179~17d:1 17f:-268 181:210
182~184:1 186:206 187:1 189-18a:205 18b:1 18e:79 18f:202 190:203 191:1 193:205 194:207 196:211 197:209 198:1 19c:211
19d:213 19f:214 1a0~1a4:1 1a6:218 1a7:1 1a9:218 1ac:1 1ae:218 1af:1 1b1-1b2:217 1b3~1b5:1 1b7:219 1b8:1 1bc:1 1c4:2
1c5:1 1c7:2 1c8:1 1ca:2 1cb~1db:1 1de~1ee:1 1f1:2 1f2~1f4:1 1f6:-97 1f7:-56 1f8~21e:1 220:-130 222~232:1 23a:10795
23b:1 23d:-163 23e:10792 241:1 243:-195 244:69 245:71 246~24e:1 345:116 370~372:1 376:1 386:38 388-38a:37 38c:64
38e-38f:63 391-3a1:32 3a3-3ab:32 3c2:1 3cf:8 3d0:-30 3d1:-25 3d5:-15 3d6:-22 3d8~3ee:1 3f0:-54 3f1:-48 3f4:-60 3f5:-64
3f7:1 3f9:-7 3fa:1 3fd-3ff:-130 400-40f:80 410-42f:32 460~480:1 48a~4be:1 4c0:15 4c1~4cd:1 4d0~526:1 531-556:48
10a0-10c5:7264 10c7:7264 10cd:7264 1e00~1e94:1 1e9b:-58 1e9e:-7615 1ea0~1efe:1 1f08-1f0f:-8 1f18-1f1d:-8 1f28-1f2f:-8
1f38-1f3f:-8 1f48-1f4d:-8 1f59~1f5f:-8 1f68-1f6f:-8 1f88-1f8f:-8 1f98-1f9f:-8 1fa8-1faf:-8 1fb8-1fb9:-8 1fba-1fbb:-74
1fbc:-9 1fbe:-7173 1fc8-1fcb:-86 1fcc:-9 1fd8-1fd9:-8 1fda-1fdb:-100 1fe8-1fe9:-8 1fea-1feb:-112 1fec:-7
1ff8-1ff9:-128 1ffa-1ffb:-126 1ffc:-9 2126:-7517 212a:-8383 212b:-8262 2132:28 2160-216f:16 2183:1 2c00-2c2e:48 2c60:1
2c62:-10743 2c63:-3814 2c64:-10727 2c67~2c6b:1 2c6d:-10780 2c6e:-10749 2c6f:-10783 2c70:-10782 2c72:1 2c75:1
2c7e-2c7f:-10815 2c80~2ce2:1 2ceb~2ced:1 2cf2:1 a640~a66c:1 a680~a696:1 a722~a72e:1 a732~a76e:1 a779~a77b:1
a77d:-35332 a77e~a786:1 a78b:1 a78d:-42280 a790~a792:1 a7a0~a7a8:1 a7aa:-42308 ff21-ff3a:32 10400-10427:40
"""
"""Characters that are another one in lower case, and how far away that is; behind a `~` every second one of a range."""


@dataclass(frozen=True, slots=True)
class Folded:
    """A run of characters, and by how much the code of each grows in lower case."""

    first: int
    last: int
    step: int
    by: int

    @property
    def characters(self) -> Iterable[int]:
        """The codes of the characters."""
        return range(self.first, self.last + 1, self.step)


@cache
def letters() -> tuple[tuple[int, int], ...]:
    """The first and the last of each range of characters that words consist of."""
    return tuple((int(first, 16), int(last or first, 16)) for first, _, last in _parted(_IN_WORDS, "-"))


@cache
def folds() -> tuple[Folded, ...]:
    """The characters that are another one in lower case, in order."""
    found: list[Folded] = []
    for codes, _, by in _parted(_FOLDS, ":"):
        step = 2 if "~" in codes else 1
        first, _, last = codes.replace("~", "-").partition("-")
        found.append(Folded(int(first, 16), int(last or first, 16), step, int(by)))
    return tuple(found)


def _parted(text: str, by: str) -> Iterable[tuple[str, str, str]]:
    return (item.partition(by) for item in text.split())


@cache
def _lower() -> dict[int, int]:
    return {code: code + run.by for run in folds() for code in run.characters}


@cache
def _word() -> re.Pattern[str]:
    return re.compile("[" + "".join(f"{chr(first)}-{chr(last)}" for first, last in letters()) + "]+")


def words_in(text: str) -> list[str]:
    """The words of a text in their order, without their case."""
    return _word().findall(text.translate(_lower()))


def searched_words(text: str) -> tuple[str, ...]:
    """The words of a search, each once. Raises `ValueError` with a sentence for whoever wrote it."""
    if len(text) > TEXT_MAX:
        raise ValueError(f"A search has at most {TEXT_MAX} characters")
    found = tuple(dict.fromkeys(words_in(text)))
    if not found:
        raise ValueError("A search needs at least one letter or digit")
    if len(found) > WORDS_MAX:
        raise ValueError(f"A search has at most {WORDS_MAX} words")
    return found
