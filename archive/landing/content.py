"""What the page says about the services and how to use them; every line works as printed."""

from __future__ import annotations

from dataclasses import dataclass
from string import Template

from archive.landing.holdings import OBSCORE, Holdings
from vo.protocols import PROTOCOLS


@dataclass(frozen=True, slots=True)
class Service:
    """A service, its URL, and what to do with it."""

    title: str
    url: str
    use: str


@dataclass(frozen=True, slots=True)
class Snippet:
    """Something to copy into a program."""

    title: str
    how: str
    text: str


_CONE = Template("""
SELECT TOP 5 * FROM ivoa.obscore
WHERE 1 = CONTAINS(POINT('ICRS', s_ra, s_dec),
  CIRCLE('ICRS', $ra, $dec, 0.1))
""")

_STILTS = Template("""
stilts tapquery sync=true ofmt=ascii \\
  tapurl=$base/tap \\
  adql="SELECT TOP 5 * FROM ivoa.obscore \\
    WHERE 1 = CONTAINS(POINT('ICRS', s_ra, s_dec), \\
    CIRCLE('ICRS', $ra, $dec, 0.1))"
""")

_PYVO = Template('''
import pyvo

tap = pyvo.dal.TAPService("$base/tap")
rows = tap.search("""
$query
""")
print(rows.to_table())
''')

_CONE_PYVO = Template("""
import pyvo

cone = pyvo.dal.SCSService(
    "$base/scs/$table")
rows = cone.search(pos=($ra, $dec), radius=0.1)
print(rows.to_table())
""")

_CURL_TAP = Template("""
curl -G $base/tap/sync \\
  -d LANG=ADQL -d RESPONSEFORMAT=csv \\
  --data-urlencode "QUERY= \\
    SELECT TOP 5 * FROM ivoa.obscore \\
    WHERE 1 = CONTAINS(POINT('ICRS', s_ra, s_dec), \\
    CIRCLE('ICRS', $ra, $dec, 0.1))"
""")

_CURL_JSON = Template("""
curl -G $base/api/v1/tables/$table/rows \\
  -d fields=dp_id,target_name,access_url \\
  -d facets=instrument_name \\
  --data-urlencode "region=CIRCLE $ra $dec 0.1"
""")


def services(base: str) -> list[Service]:
    """Return every service below a base URL."""
    return [
        *(Service(p.title, f"{base}{p.path}{p.entry}", p.use) for p in PROTOCOLS),
        Service("JSON API", f"{base}/api/v1", "rows, facets and density maps as JSON, CSV, Parquet"),
        Service(
            "Files", f"{base}/files/ID", "download, with ranges and checksums; /headers/ID has the header"
        ),
    ]


def example_query(holdings: Holdings) -> str:
    """Return an ADQL cone search that finds something."""
    ra, dec = holdings.example
    return _CONE.substitute(ra=ra, dec=dec).strip()


def snippets(base: str, holdings: Holdings) -> list[Snippet]:
    """Return examples for the programs that astronomers use."""
    ra, dec = holdings.example
    texts = (
        ("TOPCAT", "VO → Table Access Protocol (TAP) Query → TAP URL", Template("$base/tap")),
        ("STILTS", "On the command line", _STILTS),
        ("pyvo", "pip install pyvo", _PYVO),
        ("Cone search in pyvo", "pip install pyvo", _CONE_PYVO),
        ("curl", "ADQL to CSV", _CURL_TAP),
        ("curl", "JSON with facets", _CURL_JSON),
    )
    query = example_query(holdings)
    values = {"base": base, "query": query, "table": OBSCORE, "ra": ra, "dec": dec}
    return [Snippet(title, how, text.substitute(values).strip()) for title, how, text in texts]
