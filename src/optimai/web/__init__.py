"""Pages for people: rendered here, one sheet, one small script, nothing loaded from elsewhere.

`pages.routes(database)` is all that the server needs. A page is right without its
script; with it, the page of a running campaign follows what happens.
"""
