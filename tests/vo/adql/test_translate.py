"""ADQL text means one tree; the fixtures say which, in the words of the printer."""

import math
from pathlib import Path

import pytest

import schemas
from query import tree
from schemas import Column, Kind, Table
from sky.regions import Circle, Polygon
from vo.adql import AdqlError, check, to_adql, translate


def read_pairs(name: str) -> list[tuple[str, str]]:
    pairs: list[tuple[str, str]] = []
    lines: list[str] = []
    for line in (Path(__file__).parent / name).read_text(encoding="utf-8").splitlines():
        if line.startswith("=> "):
            pairs.append(("\n".join(lines), line[3:]))
            lines = []
        elif line.strip() and not line.startswith("-- "):
            lines.append(line)
    assert not lines
    return pairs


ACCEPTED = read_pairs("accepted.txt")
REFUSED = read_pairs("refused.txt")


@pytest.mark.parametrize(("text", "plain"), ACCEPTED)
def test_means_its_plain_form(text: str, plain: str, declared: schemas.Schemas) -> None:
    assert to_adql(translate(text, declared)) == plain
    assert check(text, declared) == []


@pytest.mark.parametrize("plain", [plain for text, plain in ACCEPTED if "in_unit" not in text])
def test_the_plain_form_means_the_same_tree(plain: str, declared: schemas.Schemas) -> None:
    query = translate(plain, declared)
    assert to_adql(query) == plain
    assert translate(to_adql(query), declared) == query


@pytest.mark.parametrize(("text", "reason"), REFUSED)
def test_is_refused_at_its_place(text: str, reason: str, declared: schemas.Schemas) -> None:
    with pytest.raises(AdqlError) as caught:
        translate(text, declared)
    error = caught.value
    message, *suggestions = reason.split(" ? ")
    code, column, words = message.split(" ", 2)
    assert (error.code, error.line, error.column, error.message) == (code, 1, int(column), words)
    assert error.suggestions == tuple(suggestions)


def outputs(text: str, declared: schemas.Schemas) -> tuple[tree.Output, ...]:
    query = translate(text, declared)
    assert isinstance(query, tree.Select)
    return query.outputs


def selected(expression: str, declared: schemas.Schemas) -> tuple[tree.Output, ...]:
    return outputs("select @ from lab.things".replace("@", expression), declared)


def where(condition: str, declared: schemas.Schemas) -> tree.Predicate:
    query = translate("select n from lab.things where @".replace("@", condition), declared)
    assert isinstance(query, tree.Select)
    assert query.where is not None
    return query.where


def sides(condition: str, declared: schemas.Schemas) -> tuple[tree.Expression, tree.Expression]:
    comparison = where(condition, declared)
    assert isinstance(comparison, tree.Comparison)
    return comparison.left, comparison.right


@pytest.mark.parametrize(
    ("condition", "value", "kind"),
    [
        ("n = '7'", 7, Kind.INT),
        ("n = 7.0", 7, Kind.INT),
        ("n = 7.5", 7.5, Kind.DOUBLE),
        ("n = 3000000000", 3_000_000_000, Kind.LONG),
        ("few = -32768", -32768, Kind.SHORT),
        ("few = 32768", 32768, Kind.INT),
        ("id = 1", 1, Kind.LONG),
        ("x = 1", 1.0, Kind.FLOAT),
        ("x = 1e39", 1e39, Kind.DOUBLE),
        ("y = 1", 1.0, Kind.DOUBLE),
        ("y = 5/2", 2.0, Kind.DOUBLE),
        ("y = ' -1.5e2 '", -150.0, Kind.DOUBLE),
        ("name = 'x'", "x", Kind.TEXT),
        ("name = 12", "12", Kind.TEXT),
        ("shape = 'x'", "x", Kind.TEXT),
        ("flag = 'False'", False, Kind.BOOLEAN),
        ("flag = 1", True, Kind.BOOLEAN),
        ("taken = '1970-01-01T00:00:01.5'", 1_500_000, Kind.TIMESTAMP),
        ("taken = '1969-12-31T23:59:59'", -1_000_000, Kind.TIMESTAMP),
    ],
)
def test_a_constant_takes_the_kind_of_its_column(
    condition: str, value: tree.Value, kind: Kind, declared: schemas.Schemas
) -> None:
    _, constant = sides(condition, declared)
    assert constant == tree.Literal(value, kind)
    assert type(constant.value) is type(value)


def test_a_constant_on_the_left_takes_the_kind_on_the_right(declared: schemas.Schemas) -> None:
    constant, column = sides("'7' = n", declared)
    assert constant == tree.Literal(7, Kind.INT)
    assert column.kind is Kind.INT


@pytest.mark.parametrize(
    ("expression", "kind"),
    [
        ("n + few", Kind.LONG),
        ("n / 2", Kind.LONG),
        ("n * 2.0", Kind.DOUBLE),
        ("x * x", Kind.DOUBLE),
        ("-x", Kind.FLOAT),
        ("abs(few)", Kind.LONG),
        ("mod(n, id)", Kind.LONG),
        ("mod(n, y)", Kind.DOUBLE),
        ("sum(n)", Kind.LONG),
        ("sum(x)", Kind.DOUBLE),
        ("avg(n)", Kind.DOUBLE),
        ("max(taken)", Kind.TIMESTAMP),
        ("count(flux)", Kind.LONG),
        ("coalesce(few, id)", Kind.LONG),
        ("coalesce(null, x, 1)", Kind.FLOAT),
        ("coalesce(n, y)", Kind.DOUBLE),
        ("coalesce(shape, name)", Kind.TEXT),
        ("name || 'a'", Kind.TEXT),
        ("point(ra, dec)", Kind.POINT),
        ("circle(1, 2, 3)", Kind.CIRCLE),
        ("polygon(0, 0, 1, 0, 0, 1)", Kind.POLYGON),
        ("region('union (circle 1 2 3 circle 7 8 1)')", Kind.REGION),
        ("ivo_healpix_center(3, 5)", Kind.POINT),
        ("contains(place, shape)", Kind.INT),
        ("(select max(mark) from lab.marks)", Kind.DOUBLE),
    ],
)
def test_a_value_has_its_kind(expression: str, kind: Kind, declared: schemas.Schemas) -> None:
    (output,) = selected(expression, declared)
    assert output.expression.kind is kind
    assert output.field.kind is kind


def test_a_plain_column_keeps_its_description(declared: schemas.Schemas) -> None:
    column = declared.table("lab.things").column("y")
    assert [o.field for o in outputs("select y, y as z from lab.things", declared)] == [
        column,
        column.renamed("z"),
    ]


def test_a_column_keeps_its_description_through_sub_queries(declared: schemas.Schemas) -> None:
    text = "with q as (select y as z from lab.things) select r.z from (select z from q) as r"
    (column,) = translate(text, declared).columns
    assert column == declared.table("lab.things").column("y").renamed("z")


@pytest.mark.parametrize(
    ("expression", "field"),
    [
        ("count(*)", Column(name="a", kind=Kind.LONG, description="Number of rows", ucd="meta.number")),
        ("count(n)", Column(name="a", kind=Kind.LONG, description="Number of values", ucd="meta.number")),
        (
            "min(y)",
            Column(
                name="a", kind=Kind.DOUBLE, description="How long", unit="s", ucd="time.duration;obs;stat.min"
            ),
        ),
        ("avg(ra)", Column(name="a", kind=Kind.DOUBLE, unit="deg", ucd="pos.eq.ra;stat.mean")),
        ("sum(y)", Column(name="a", kind=Kind.DOUBLE, description="How long", unit="s")),
        (
            "distance(place, place)",
            Column(name="a", kind=Kind.DOUBLE, unit="deg", ucd="pos.angDistance"),
        ),
        ("area(shape)", Column(name="a", kind=Kind.DOUBLE, unit="deg**2", ucd="phys.angArea")),
        ("coord2(place)", Column(name="a", kind=Kind.DOUBLE, unit="deg", ucd="pos.eq.dec")),
        ("point(ra, dec)", Column(name="a", kind=Kind.POINT, unit="deg", xtype="point")),
        ("max(taken)", Column(name="a", kind=Kind.TIMESTAMP)),
        ("cast('2024' as timestamp)", Column(name="a", kind=Kind.TIMESTAMP, xtype="timestamp")),
        ("in_unit(y, 'min')", Column(name="a", kind=Kind.DOUBLE, unit="min")),
        ("ivo_to_mjd(taken)", Column(name="a", kind=Kind.DOUBLE, unit="d", ucd="time.epoch")),
        ("-ra", Column(name="a", kind=Kind.DOUBLE, unit="deg", ucd="pos.eq.ra;meta.main")),
        ("coord1(place)", Column(name="a", kind=Kind.DOUBLE, unit="deg", ucd="pos.eq.ra")),
        ("coalesce(taken, taken)", Column(name="a", kind=Kind.TIMESTAMP)),
        ("cast(name as timestamp)", Column(name="a", kind=Kind.TIMESTAMP, xtype="timestamp")),
        ("cast(taken as varchar)", Column(name="a", kind=Kind.TEXT)),
        ("min(name)", Column(name="a", kind=Kind.TEXT)),
        ("max(n + 1)", Column(name="a", kind=Kind.LONG)),
        ("circle(place, 1)", Column(name="a", kind=Kind.CIRCLE, unit="deg", xtype="circle")),
        ("degrees(y)", Column(name="a", kind=Kind.DOUBLE, unit="deg")),
    ],
)
def test_a_computed_column_is_described(expression: str, field: Column, declared: schemas.Schemas) -> None:
    (output,) = selected(f"{expression} as a", declared)
    assert output.field == field


def test_output_names_are_unique_in_any_case(declared: schemas.Schemas) -> None:
    found = outputs(
        'select *, notes.n as "N", few as n_2 from lab.notes join lab.things using (id)', declared
    )
    names = [output.name.lower() for output in found]
    assert len(set(names)) == len(names)


def test_aliases_are_unique_in_the_whole_query(declared: schemas.Schemas) -> None:
    text = (
        "select n from lab.notes where id in (select id from lab.notes where n in (select n from lab.notes))"
    )
    aliases = [node.alias for node in tree.walk(translate(text, declared)) if isinstance(node, tree.TableRef)]
    assert sorted(aliases) == ["notes", "notes_2", "notes_3"]


def test_constant_geometry_is_one_region(declared: schemas.Schemas) -> None:
    _, relation = sides("1 = contains(point(ra, dec), circle('ICRS', 370, -2, 0.5))", declared)
    ra, dec = (tree.Column("things", name, Kind.DOUBLE) for name in ("ra", "dec"))
    assert relation == tree.Contains(tree.PointOf(ra, dec), tree.RegionLiteral(Circle(10.0, -2.0, 0.5)))


def test_a_footprint_column_is_a_region_in_geometry_only(declared: schemas.Schemas) -> None:
    shape = tree.Column("things", "shape", Kind.REGION)
    relation, _ = sides("intersects(shape, circle(1, 2, 3)) = 1", declared)
    assert isinstance(relation, tree.Intersects)
    assert relation.left == tree.RegionOf(shape)
    assert where("shape is null", declared) == tree.IsNull(shape)
    assert selected("shape", declared)[0].expression == shape


def test_galactic_constants_become_icrs(declared: schemas.Schemas) -> None:
    text = "point('GALACTIC', 0, 0), circle('galactic', 0, 0, 1), polygon('GALACTIC', 0,0, 1,0, 0,1)"
    point, circle, polygon = (o.expression for o in selected(text, declared))
    assert isinstance(point, tree.RegionLiteral)
    assert (point.region.ra, point.region.dec) == pytest.approx((266.405, -28.936), abs=1e-3)  # type: ignore[union-attr]
    assert isinstance(circle, tree.RegionLiteral)
    assert circle.region == Circle(point.region.ra, point.region.dec, 1.0)  # type: ignore[union-attr]
    assert isinstance(polygon, tree.RegionLiteral)
    assert polygon.region.vertices[0] == (point.region.ra, point.region.dec)  # type: ignore[union-attr]


def test_a_galactic_box_stands_along_the_galactic_plane(declared: schemas.Schemas) -> None:
    text = "box('GALACTIC', 30, 0, 2, 1), polygon('GALACTIC', 31,0.5, 29,0.5, 29,-0.5, 31,-0.5)"
    box, polygon = (o.expression for o in selected(text, declared))
    assert isinstance(box, tree.RegionLiteral)
    assert isinstance(polygon, tree.RegionLiteral)
    for corner in polygon.region.vertices:  # type: ignore[union-attr]
        assert any(corner == pytest.approx(other, abs=1e-3) for other in box.region.vertices)  # type: ignore[union-attr]


def test_geom_transform_turns_constants(declared: schemas.Schemas) -> None:
    (output,) = selected("ivo_geom_transform('ICRS', 'GALACTIC', point(120, -23))", declared)
    assert isinstance(output.expression, tree.RegionLiteral)
    region = output.expression.region
    assert (region.ra, region.dec) == pytest.approx((241.121831182, 3.62785788087))  # type: ignore[union-attr]


def test_geom_transform_turns_all_of_a_shape_and_keeps_its_size(declared: schemas.Schemas) -> None:
    (circle,) = selected("ivo_geom_transform('GALACTIC', 'ICRS', circle(0, 0, 2)) as c", declared)
    (polygon,) = selected("ivo_geom_transform('ICRS', 'GALACTIC', polygon(0,0, 1,0, 0,1)) as p", declared)
    assert isinstance(circle.expression, tree.RegionLiteral)
    assert isinstance(circle.expression.region, Circle)
    assert isinstance(polygon.expression, tree.RegionLiteral)
    assert isinstance(polygon.expression.region, Polygon)
    found = circle.expression.region
    assert (found.ra, found.dec, found.radius) == pytest.approx((266.404988, -28.936178, 2.0))
    corner = polygon.expression.region.vertices[0]
    assert corner == pytest.approx((96.337272, -60.188552))


def test_what_keeps_a_column_s_kind_is_written_as_the_column_is(declared: schemas.Schemas) -> None:
    source = declared.table("ivoa.obscore").column("obs_release_date")
    assert source.xtype
    for value, xtype in (
        ("max(obs_release_date)", source.xtype),
        ("coalesce(obs_release_date, obs_release_date)", source.xtype),
        ("cast(obs_release_date as varchar)", None),
        ("count(obs_release_date)", None),
    ):
        (column,) = translate(f"select {value} as a from ivoa.obscore", declared).columns
        assert column.xtype == xtype


def test_a_region_has_at_most_two_thousand_vertices(
    declared: schemas.Schemas, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Whether edges cross is asked of other tests; of so many it takes seconds.
    monkeypatch.setattr("vo.adql.shapes.normalise_search", lambda region: region)

    def circle(vertices: int) -> str:
        turns = [2 * math.pi * place / vertices for place in range(vertices)]
        return " ".join(f"{20 + 10 * math.cos(turn):.6f} {10 * math.sin(turn):.6f}" for turn in turns)

    def polygon(vertices: int) -> str:
        return f"select polygon({circle(vertices).replace(' ', ', ')}) as p from lab.things"

    def region(vertices: int) -> str:
        return f"select region('polygon icrs {circle(vertices)}') as p from lab.things"

    assert check(polygon(2000), declared) == []
    assert check(region(1999), declared) == []
    for text, place in ((polygon(2001), 8), (region(2001), 15)):
        (error,) = check(text, declared)
        assert (error.code, error.column) == ("unsupported", place)
        assert "2000 vertices" in error.message


def test_an_answer_has_at_most_five_thousand_columns(declared: schemas.Schemas) -> None:
    most = ", ".join(["n"] * 5000)
    assert len(outputs(f"select {most} from lab.things", declared)) == 5000
    (error,) = check(f"select {most}, few from lab.things", declared)
    assert (error.code, error.column) == ("unsupported", 8)
    assert "5000 columns, not 5001" in error.message


@pytest.mark.parametrize(
    ("expression", "degrees"),
    [
        ("ivo_hms_to_degrees('3:34:45.4')", 53.6891667),
        ("ivo_hms_to_degrees('3H34M45.4S')", 53.6891667),
        ("ivo_dms_to_degrees('42:9:6.768')", 42.15188),
        ("ivo_dms_to_degrees('-0d15m0s')", -0.25),
        ("ivo_dms_to_degrees('+00:15:00')", 0.25),
        ("coord1(ivo_healpix_center(17, 81609757711))", 1.0),
    ],
)
def test_angles_of_the_udf_catalogue(expression: str, degrees: float, declared: schemas.Schemas) -> None:
    (output,) = selected(expression, declared)
    assert isinstance(output.expression, tree.Literal)
    assert output.expression.value == pytest.approx(degrees, abs=1e-3 if "center" in expression else 1e-7)


def test_all_wrong_names_and_types_are_found_at_once(declared: schemas.Schemas) -> None:
    text = "select s_raa, foo(3),\n  s_dec from ivoa.obscore\nwhere bar > 3 and t_min > 'abc' order by baz"
    errors = check(text, declared)
    assert [(e.code, e.line, e.column) for e in errors] == [
        ("unknown-column", 1, 8),
        ("unknown-function", 1, 15),
        ("unknown-column", 3, 7),
        ("type", 3, 27),
        ("unknown-column", 3, 42),
    ]
    with pytest.raises(AdqlError) as caught:
        translate(text, declared)
    assert str(caught.value) == str(errors[0])


def test_an_unknown_table_is_the_only_news(declared: schemas.Schemas) -> None:
    text = "select a, t.b from lab.nothing as t where c = (select d from lab.things where e = 1)"
    assert [error.code for error in check(text, declared)] == ["unknown-table"]


def test_an_error_is_one_line_with_place_and_suggestion(declared: schemas.Schemas) -> None:
    (error,) = check("select\r\n  s_raa from ivoa.obscore", declared)
    assert str(error) == "line 2, column 3: no column s_raa in ivoa.obscore (did you mean s_ra?)"


def test_uploaded_tables_are_known(declared: schemas.Schemas) -> None:
    mine = Table(
        schema_name="TAP_UPLOAD", local_name="mine", key=("k",), columns=(Column(name="k", kind=Kind.INT),)
    )
    query = translate("select k from tap_upload.MINE", declared, uploads=[mine])
    assert tree.tables(query) == (mine,)
    assert check("select k from tap_upload.mine", declared, uploads=[mine]) == []
    assert [error.code for error in check("select k from tap_upload.mine", declared)] == ["unknown-table"]
