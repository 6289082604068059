"""The log: every session, picture, region, ranking and run in one SQLite file that outlives the app.

`SessionStore` is what is written and read through; `connection.default_path` says where. Knows domain, and
neither the app nor the engine.
"""

from gazeviz.store.run_query import Match as Match
from gazeviz.store.run_query import RunFilter as RunFilter
from gazeviz.store.run_query import RunRow as RunRow
from gazeviz.store.session_store import SessionStore as SessionStore
