"""`steerscope view`: documents, images and live streams for the pages, over HTTP on this machine.

Starlette, because that is all that is asked for – routes, middleware, streaming answers – in pure Python with one
dependency (anyio) that the house has already; nothing is validated or documented by models, as FastAPI would.
"""
