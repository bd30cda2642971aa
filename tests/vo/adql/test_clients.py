"""The queries that known clients send, letter by letter."""

import pytest

import schemas
from vo.adql import check, to_adql, translate

ASTROQUERY = """
select table_name from TAP_SCHEMA.tables where schema_name='ist' order by table_name
select distinct obs_collection from ivoa.ObsCore
select column_name, datatype, unit, xtype from TAP_SCHEMA.columns where table_name = 'dbo.raw'
select column_name, datatype, unit, ucd from TAP_SCHEMA.columns where table_name = 'dbo.raw'
select count(*) from dbo.raw
select top 1 table_name from TAP_SCHEMA.tables
SELECT table_name FROM TAP_SCHEMA.tables WHERE schema_name='safcat' AND cat_id IN ( SELECT t1.cat_id FROM \
TAP_SCHEMA.tables t1 LEFT JOIN TAP_SCHEMA.tables t2 ON (t1.title = t2.title AND t1.version < t2.version) \
WHERE t2.title IS NULL) ORDER BY table_name
select top 10 count(*) from ivoa.ObsCore where obs_collection in ('MUSE', 'X') and t_exptime >= '1.5'
select top 5 dp_id, object from dbo.raw where instrument in ('MUSE') and exp_start between '2024-01-01' \
and '2024-02-01' and prog_id not like  '60.A%' and ob_id not in  (1, 2) and exposure != 3 and \
intersects(s_region, circle('ICRS', 120.5, -33.2, 0.1))=1 order by exp_start desc
select * from ivoa.ObsCore where intersects(s_region, circle('ICRS', 1.0, 2.0, 3))=1 order by t_min asc
select target_name from ivoa.ObsCore where CONTAINS(POINT('', 266.41, -29.0), s_region)=1
"""

TAPLINT = """
SELECT TOP 1 s_fov FROM ivoa.ObsCore WHERE s_fov IS NULL
SELECT TOP 1 calib_level FROM ivoa.ObsCore WHERE calib_level NOT BETWEEN 0 AND 4
SELECT DISTINCT TOP 10 dataproduct_type FROM ivoa.ObsCore WHERE dataproduct_type NOT IN ('image', 'cube', \
'spectrum') AND dataproduct_type IS NOT NULL
SELECT TOP 20 table_name, column_name, "size" FROM TAP_SCHEMA.columns
SELECT COUNT(*) AS nr FROM TAP_SCHEMA.schemas
"""


@pytest.mark.parametrize("text", [line for line in (ASTROQUERY + TAPLINT).splitlines() if line])
def test_is_understood(text: str, declared: schemas.Schemas) -> None:
    assert check(text, declared) == []
    query = translate(text, declared)
    assert translate(to_adql(query), declared) == query


def test_the_column_none_is_refused_with_a_hint(declared: schemas.Schemas) -> None:
    (error,) = check("select * from dbo.raw where object = None", declared)
    assert (error.code, error.column, error.suggestions) == ("unknown-column", 38, ("IS NULL",))
