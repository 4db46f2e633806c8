"""JSON objects edited as they were spelled."""

import json

from hypothesis import given
from hypothesis import strategies as st

from embedcli.formats import objects

names = st.text(st.characters(codec="utf-8"), max_size=4)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=8,
)
dictionaries = st.dictionaries(names, values, min_size=1, max_size=4)
spellings = st.sampled_from([None, 1]), st.sampled_from([(",", ":"), (" , ", " : ")])


def spelled(value: object, indent: int | None, separators: tuple[str, str]) -> bytes:
    return json.dumps(value, indent=indent, separators=separators).encode()


@given(dictionaries, *spellings, st.data())
def test_a_member_is_left_out_and_the_others_stay(
    value: dict[str, object], indent: int | None, separators: tuple[str, str], data: st.DataObject
) -> None:
    name = data.draw(st.sampled_from(sorted(value)))
    left = json.loads(objects.without(spelled(value, indent, separators), name))
    assert left == {key: inner for key, inner in value.items() if key != name}


@given(dictionaries, *spellings, st.data())
def test_a_value_gives_way_to_another(
    value: dict[str, object], indent: int | None, separators: tuple[str, str], data: st.DataObject
) -> None:
    name = data.draw(st.sampled_from(sorted(value)))
    before, after = objects.around(spelled(value, indent, separators), name)
    assert json.loads(before + b'"new"' + after) == {**value, name: "new"}


@given(dictionaries | st.just({}), *spellings)
def test_an_object_is_open_for_more(
    value: dict[str, object], indent: int | None, separators: tuple[str, str]
) -> None:
    raw = spelled(value, indent, separators)
    assert json.loads(objects.opened(raw) + b'"new\\u0000":1}') == {**value, "new\0": 1}


def test_what_is_not_touched_keeps_its_digits_and_spaces() -> None:
    raw = b'{ "a" : 1.50e1 , "b":"x\\"}" , "c":{"d":00.1,"e": [1, 2 ]} }'.replace(b"00.1", b"0.10")
    assert objects.without(raw, "b") == b'{"a" : 1.50e1,"c":{"d":0.10,"e": [1, 2 ]}}'
    assert objects.without(raw, "c.d") == b'{"a" : 1.50e1,"b":"x\\"}","c":{"e": [1, 2 ]}}'
    assert objects.around(raw, "c.d") == (raw[: raw.index(b"0.10")], raw[raw.index(b',"e"') :])
