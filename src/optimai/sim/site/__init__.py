"""A simulated documentation site: real pages, made-up hosts, and faults on purpose.

A folder of HTML pages is served under the names docs-1.localhost … docs-N.localhost, all on one loopback
port. `pages` says where each page lives and where its links lead, `revision` what its second edition says,
`faults` what goes wrong, `state` what is remembered; `server` answers. Nothing here is chance: the same
folder, number of hosts and port give the same site.

    async with serve(Path("examples/docs/site"), hosts=8) as site:     # in this process
    python -m optimai.sim.site examples/docs/site --port 0             # or as a child, see `__main__`
"""

from optimai.sim.site.server import serve
from optimai.sim.site.state import Hit, Site

__all__ = ["Hit", "Site", "serve"]
