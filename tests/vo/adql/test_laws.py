"""Laws: printing and reading are inverse; any text is understood or refused at a place in it."""

import inspect
import string
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from query import build, tree
from schemas import Column, Kind, Schema, Schemas, Table
from sky.regions import Circle, MocRegion, Point, Polygon, Range, Region, RegionError, Union, normalise_search
from sky.text import parse_region, to_stcs
from vo.adql import AdqlError, check, to_adql, translate
from vo.adql.stream import MAX_DEPTH

KINDS = {
    "i": Kind.INT,
    "l": Kind.LONG,
    "s": Kind.SHORT,
    "f": Kind.FLOAT,
    "d": Kind.DOUBLE,
    "t": Kind.TEXT,
    "w": Kind.TIMESTAMP,
    "b": Kind.BOOLEAN,
    "r": Kind.REGION,
    "p": Kind.POINT,
}


def table(name: str) -> Table:
    return Table(
        schema_name="lab",
        local_name=name,
        key=("i",),
        position=("d", "f"),
        region="r",
        columns=tuple(Column(name=column, kind=kind) for column, kind in KINDS.items()),
    )


LAB = Schemas([Schema(name="lab", tables=(table("a"), table("b")))])

ADQL = settings(max_examples=100, deadline=None)

numbers_in_text = st.one_of(
    st.integers(-(2**63), 2**63 - 1).map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.sampled_from(["0x1F", ".5", "5.", "-1e-3"]),
)

texts = st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\0"), max_size=5).map(
    lambda text: "'" + text.replace("'", "''") + "'"
)

dates = st.datetimes().map(lambda moment: f"'{moment.isoformat()}'")


def joined(pattern: str, *parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.tuples(*parts).map(lambda found: pattern.format(*found))


def numbers(*aliases: str) -> st.SearchStrategy[str]:
    columns = [f"{alias}.{name}" for alias in aliases for name in "ilsfd"]
    return st.recursive(
        st.one_of(st.sampled_from(columns), numbers_in_text),
        lambda inner: st.one_of(
            joined("({} {} {})", inner, st.sampled_from("+-*/"), inner),
            joined("{} {} {}", inner, st.sampled_from("+*"), inner),
            joined("- {}", inner),
            joined("abs({})", inner),
            joined("mod({}, {})", inner, inner),
            joined("coalesce({}, null, {})", inner, inner),
            joined("cast({} as {})", inner, st.sampled_from(["real", "double precision", "bigint"])),
            joined("distance(point({}, {}), point(1, 2))", inner, inner),
        ),
        max_leaves=5,
    )


def conditions(*aliases: str) -> st.SearchStrategy[str]:
    alias = st.sampled_from(aliases)
    number = numbers(*aliases)
    text = st.one_of(joined("{}.t", alias), joined("lower({}.t)", alias), texts)
    word = st.sampled_from(["", "not "])
    compare = st.sampled_from(["=", "<>", "!=", "<", "<=", ">", ">="])
    simple = st.one_of(
        joined("{} {} {}", number, compare, number),
        joined("{} {}between {} and {}", number, word, number, number),
        joined(
            "{}.{} {}in ({}, {})", alias, st.sampled_from("ilsfd"), word, numbers_in_text, numbers_in_text
        ),
        joined("{} {} {}", text, compare, text),
        joined("{} || {} {}like {}", text, text, word, texts),
        joined("{}.w {} {}", alias, compare, dates),
        joined("{}.b = {}", alias, st.sampled_from(["0", "1", "'true'"])),
        joined("{}.{} is {}null", alias, st.sampled_from("ildtwr"), word),
        joined("contains({}.p, {}.r) = 1", alias, alias),
        joined("0 = intersects({}.r, circle({}, {}, 1))", alias, number, number),
        joined("{} {}in (select n.l from lab.b as n where n.t = {}.t)", number, word, alias),
        joined("exists (select * from lab.a as m where m.i = {}.i)", alias),
        joined("{} > (select max(d) from lab.b)", number),
    )
    return st.recursive(
        simple,
        lambda inner: st.one_of(
            joined("({} and {})", inner, inner),
            joined("{} or {}", inner, inner),
            joined("not ({})", inner),
        ),
        max_leaves=4,
    )


@st.composite
def selects(draw: st.DrawFn) -> str:
    source = draw(
        st.sampled_from(
            [
                "lab.a",
                "lab.a as a",
                'lab.b as "a"',
                "lab.a join lab.b on a.i = b.l",
                "lab.a left join lab.b using (i, t)",
                "lab.a full join lab.b using (i)",
                "lab.a natural join lab.b as z",
                "(select * from lab.b) as a, lab.b as b",
                "(lab.b cross join lab.b as c) right join lab.a on a.i = c.i",
            ]
        )
    )
    words = ["select", draw(st.sampled_from(["", "distinct", "all"])), draw(st.sampled_from(["", "top 5"]))]
    items = draw(st.lists(st.one_of(st.just("a.*"), st.just("a.t"), numbers("a")), min_size=1, max_size=3))
    words += [", ".join(items), "from", source]
    if draw(st.booleans()):
        words += ["where", draw(conditions("a"))]
    if draw(st.booleans()):
        words += ["order by 1", draw(st.sampled_from(["", "desc", "offset 3"]))]
    return " ".join(words)


@st.composite
def grouped(draw: st.DrawFn) -> str:
    key = draw(numbers("a"))
    function = draw(st.sampled_from(["count", "sum", "avg", "min", "max", "count(distinct a.t), sum"]))
    value = draw(numbers("a"))
    words = ["select a.i,", f"{function}({value})", "as x from lab.a group by a.i, a.l + a.s"]
    if draw(st.booleans()):
        words.append(f"having min({key}) > count(*)")
    return " ".join([*words, draw(st.sampled_from(["", "order by x desc", "order by a.l + a.s"]))])


queries = st.one_of(
    selects(),
    grouped(),
    joined(
        "select i, t from lab.a where {} {} (select l, {} from lab.b) order by t",
        conditions("a"),
        st.sampled_from(["union", "union all", "except", "intersect"]),
        texts,
    ),
    joined("with q as ({}), k (x) as (select i from lab.b) select x from k, q", selects()),
)


@pytest.mark.slow
@ADQL
@given(queries)
def test_printing_and_reading_are_inverse(text: str) -> None:
    try:
        query = translate(text, LAB)
    except AdqlError as error:
        assert error.code in ("type", "syntax")  # noqa: PT017 - such as a date of year 1 with no meaning
        return
    plain = to_adql(query)
    assert translate(plain, LAB) == query
    assert to_adql(translate(plain, LAB)) == plain


@st.composite
def regions(draw: st.DrawFn) -> Region:
    ra, dec = st.floats(0, 359.99), st.floats(-89, 89)
    point = st.builds(Point, ra, dec)
    circle = st.builds(Circle, ra, dec, st.floats(0.001, 80))
    span = st.builds(Range, ra, ra, st.floats(-90, 0), st.floats(0.1, 90))
    triangle = st.tuples(st.tuples(ra, dec), st.tuples(ra, dec), st.tuples(ra, dec)).map(Polygon)
    cells = st.integers(0, 12 * 4**29 - 2).map(lambda cell: MocRegion(((cell, cell + 1),)))
    both = st.tuples(circle, circle).map(Union)
    region = draw(st.one_of(point, circle, span, triangle, cells, both))
    try:
        return normalise_search(region)
    except RegionError:
        return Circle(1.0, 2.0, 3.0)


@ADQL
@given(regions(), st.integers(0, 9), st.sampled_from(["i", "w", "t", "d"]))
def test_searches_built_in_code_are_printed(region: Region, top: int, name: str) -> None:
    wanted = LAB.table("lab.a")
    values: dict[str, tree.Value] = {"i": 5, "w": 1_600_000_000_123_456, "t": "it's", "d": 0.1}
    where = build.all_of(
        [
            build.position_in(wanted, region),
            build.is_true(
                tree.Intersects(build.footprint(wanted), tree.RegionLiteral(Circle(1.0, 2.0, 3.0)))
            ),
            tree.Comparison(">=", build.column(wanted, name), tree.Literal(values[name], KINDS[name])),
        ]
    )
    order = (tree.Order(build.column(wanted, name), descending=True),)
    query = build.select(wanted, where=where, order_by=order, top=top)
    written = parse_region(to_stcs(region))
    if written == region:
        assert translate(to_adql(query), LAB) == query
    else:
        assert isinstance(translate(to_adql(query), LAB), tree.Select)


VOCABULARY = """
select from where and or not in is null like between exists ( ( ) ) , . * + - / = <> < || ; 'x' 1 2.5
"a" a b i t lab top distinct group by order having join left natural using on as union with count max
point circle contains cast coalesce -- case limit
"""

WORDS = st.sampled_from(VOCABULARY.split())


def _places_are_in(text: str, errors: list[AdqlError]) -> bool:
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return all(
        1 <= error.line <= len(lines) and 1 <= error.column <= len(lines[error.line - 1]) + 1
        for error in errors
    )


@ADQL
@given(st.lists(WORDS, max_size=30).map(" ".join))
def test_any_words_are_understood_or_refused(text: str) -> None:
    assert _places_are_in(text, check(text, LAB))


@ADQL
@given(st.text(alphabet=st.one_of(st.sampled_from(string.printable), st.characters()), max_size=60))
def test_any_characters_are_understood_or_refused(text: str) -> None:
    errors = check(text, LAB)
    assert errors
    assert _places_are_in(text, errors)


@settings(max_examples=40, deadline=None)
@given(queries, st.data())
def test_a_damaged_query_is_understood_or_refused(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 8)))
    damaged = text[:start] + data.draw(WORDS) + text[end:]
    assert _places_are_in(damaged, check(damaged, LAB))


@pytest.mark.parametrize(
    "text",
    [
        "select i from lab.a where " + "(" * 5000 + "i = 1" + ")" * 5000,
        "select " + "(" * 100_000,
        "select " + "abs(" * 1000 + "i" + ")" * 1000 + " from lab.a",
        "select " + "-(" * 1000 + "i" + ")" * 1000 + " from lab.a",
        "select i" + " + i" * 5000 + " from lab.a",
        "select i" + " + i" * (MAX_DEPTH + 1) + " from lab.a",
        "select t" + " || t" * 5000 + " from lab.a",
        "select i from lab.a where " + "not " * 5000 + "i = 1",
        "select i from " + "(select i from " * 500 + "lab.a" + ") as q" * 500,
        "select i from lab.a where i in " + "(select i from lab.a where i in " * 500 + "(1)" + ")" * 500,
        "select a.i from lab.a" + ", lab.a as b" * 1000,
        "select a.i from " + "(" * 500 + "lab.a" + " cross join lab.b)" * 500,
        " union ".join(["select i from lab.a"] * 1000),
    ],
)
def test_too_deep_a_query_is_refused_in_words(text: str) -> None:
    (error,) = check(text, LAB)
    assert error.code == "syntax"
    assert "deep" in error.message


@pytest.mark.parametrize(
    "text",
    [
        " ".join(["select", "(" * (MAX_DEPTH - 8), "i", ")" * (MAX_DEPTH - 8), "from lab.a"]),
        " ".join(["select", "abs(" * (MAX_DEPTH - 8), "i", ")" * (MAX_DEPTH - 8), "from lab.a"]),
        "select i from lab.a where i = 1" + " and i = 1" * 2000,
        "select i from lab.a where i in (1" + ", 2" * 20_000 + ")",
    ],
)
def test_what_people_need_is_not_too_deep(text: str) -> None:
    assert check(text, LAB) == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("select i from lab.a " + " " * 1_000_000, "longer than"),
        ("select i from lab.a where i in (1" + ",1" * 100_000 + ")", "words and signs"),
        ("select i from lab.a where t = '\0'", "null character"),
        ("select i from lab.a where t = '\ud800'", "Unicode"),
        ("", "empty"),
        ("  -- nothing\n", "empty"),
    ],
)
def test_what_is_no_query_at_all_is_refused(text: str, words: str) -> None:
    (error,) = check(text, LAB)
    assert error.code == "syntax"
    assert words in error.message


def test_a_caller_near_the_end_of_the_stack_gets_words_too() -> None:
    text = " ".join(["select", "abs(" * 50, "i", ")" * 50, "from lab.a"])

    def called_from(depth: int) -> list[AdqlError]:
        return called_from(depth - 1) if depth else check(text, LAB)

    frames = len(inspect.stack(0))
    (error,) = called_from(sys.getrecursionlimit() - frames - 100)
    assert "too deeply" in error.message


def test_a_tree_without_words_in_adql_is_refused() -> None:
    column = build.column(LAB.table("lab.a"), "i")
    nowhere = tree.Select(outputs=(tree.Output(tree.Literal(1, Kind.INT), Column(name="x", kind=Kind.INT)),))
    truth = tree.Select(
        outputs=(tree.Output(tree.Cast(column, Kind.BOOLEAN), Column(name="x", kind=Kind.BOOLEAN)),),
        source=tree.TableRef("t", LAB.table("lab.a")),
    )
    for query in (nowhere, truth):
        with pytest.raises(ValueError, match="ADQL has no"):
            to_adql(query)
