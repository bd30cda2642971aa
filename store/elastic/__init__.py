"""Elasticsearch: an index of documents, each a version of a row, kept up to date by one follower of many."""

from store.elastic.advice import advice_on
from store.elastic.bulk import Pace
from store.elastic.client import Cluster, EngineError, open_client
from store.elastic.documents import live_at
from store.elastic.follower import ElasticFollower, Policy
from store.elastic.index import ElasticIndex
from store.elastic.names import Names
from store.elastic.request import Requests
from store.elastic.state import State, StateDocument, TableIndex, version_in

__all__ = [
    "Cluster",
    "ElasticFollower",
    "ElasticIndex",
    "EngineError",
    "Names",
    "Pace",
    "Policy",
    "Requests",
    "State",
    "StateDocument",
    "TableIndex",
    "advice_on",
    "live_at",
    "open_client",
    "version_in",
]
